#!/usr/bin/env bash
# jaxtyping: the import hook of a package leaves a second bytecode file of each module that this package imports.
#
# Expected: `install_import_hook("mine", …)` concerns modules whose names start with `mine`. What they import is loaded
#   from the bytecode that pip has compiled.
# Happens: while a module of `mine` is executed, every module that it is the first to import looks for its bytecode under
#   the hook's name. There is none, so the whole tree of imports is compiled from source (for a large package that is
#   seconds in each process), and written beside pip's, or compiled each time where no bytecode is written.
# Seen with Python 3.11.7, jaxtyping 0.3.11, beartype 0.23.1, jinja2 3.1.6:
#   without the hook: 25 files of bytecode in jinja2
#   with the hook for `mine`: 44
#   with the hook, jinja2 imported before: 25
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
unset PYTHONDONTWRITEBYTECODE PYTHONPYCACHEPREFIX
{ python3 -m venv venv && venv/bin/pip install --quiet jaxtyping==0.3.11 beartype==0.23.1 jinja2==3.1.6; } || exit 2
echo "import jinja2" > mine.py

files() { find venv/lib -path '*/jinja2/*.pyc' | wc -l; }
hook='import jaxtyping; jaxtyping.install_import_hook("mine", "beartype.beartype")'

venv/bin/python -c "import mine"
without=$(files)
venv/bin/python -c "import jinja2; $hook; import mine"
before=$(files)
venv/bin/python -c "$hook; import mine"
with=$(files)
echo "without the hook: $without files of bytecode in jinja2"
echo "with the hook for \`mine\`: $with"
echo "with the hook, jinja2 imported before: $before"
[ "$before" -eq "$without" ] && [ "$with" -gt "$without" ]
