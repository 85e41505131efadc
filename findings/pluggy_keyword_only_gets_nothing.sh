#!/usr/bin/env bash
# pluggy: an argument that a hook takes by keyword only is never passed.
#
# Expected: pluggy passes arguments by name, so `def hook(*, extra=None)` and `def hook(**arguments)` get what the caller
#   gave, as `def hook(extra)` does.
# Happens: only what can be positional is passed. A keyword-only argument has its default in each call, and `**arguments`
#   is empty. `check_pending` and registration, which complain of unknown names, say nothing. (With pluggy 1.6 and before,
#   `def hook(extra=None)` gets its default as well.)
# Seen with Python 3.11.7, pluggy 1.7.0; each gets a = 1, extra = 2:
#   (a, extra): {'a': 1, 'extra': 2}
#   (a, extra=None): {'a': 1, 'extra': 2}
#   (a, *, extra=None): {'a': 1, 'extra': None}
#   (a, **others): {'a': 1}
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet pluggy==1.7.0; } || exit 2
venv/bin/python - <<'PY'
import sys

import pluggy

hookspec, hookimpl = pluggy.HookspecMarker("project"), pluggy.HookimplMarker("project")


class Specification:
    @hookspec
    def hook(self, a, extra):
        pass


class Plain:
    @hookimpl
    def hook(self, a, extra):
        return "(a, extra)", {"a": a, "extra": extra}


class Default:
    @hookimpl
    def hook(self, a, extra=None):
        return "(a, extra=None)", {"a": a, "extra": extra}


class KeywordOnly:
    @hookimpl
    def hook(self, a, *, extra=None):
        return "(a, *, extra=None)", {"a": a, "extra": extra}


class Others:
    @hookimpl
    def hook(self, a, **others):
        return "(a, **others)", {"a": a, **others}


manager = pluggy.PluginManager("project")
manager.add_hookspecs(Specification)
for plugin in (Others, KeywordOnly, Default, Plain):  # the last one is called first
    manager.register(plugin())
manager.check_pending()
got = dict(manager.hook.hook(a=1, extra=2))
for signature, arguments in got.items():
    print(f"{signature}: {arguments}")
passed = all(got[signature] == {"a": 1, "extra": 2} for signature in ("(a, extra)", "(a, extra=None)"))
lost = got["(a, *, extra=None)"] == {"a": 1, "extra": None} and got["(a, **others)"] == {"a": 1}
sys.exit(not (passed and lost))
PY
