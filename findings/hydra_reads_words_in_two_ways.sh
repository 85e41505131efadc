#!/usr/bin/env bash
# Hydra: the same word is another value in a YAML file than on the command line, and a field of type str hides it.
#
# Expected: `x=off` and `x: off` are the same, and a str field holds the text that was written, or refuses another type.
# Happens: files follow YAML 1.1, the command line a grammar of its own: off, no, on and yes are booleans in files
#   alone, 010 is 8, 1:30 is 90, 0x10 is 16; nan and inf are numbers on the command line alone. A field of type str, or
#   list[str], converts what it gets: names of classes [no, yes] become "False" and "True", the id 010 the text "8". A
#   sweep and an experiment file that repeats its best job are then two experiments. No error, no warning.
# Seen with Python 3.11.7, hydra-core 1.3.8, omegaconf 2.3.1:
#   off: in a file False, on the command line 'off', as str 'False' and 'off'
#   yes: in a file True, on the command line 'yes', as str 'True' and 'yes'
#   010: in a file 8, on the command line '010', as str '8' and '010'
#   1:30: in a file 90, on the command line '1:30', as str '90' and '1:30'
#   nan: in a file 'nan', on the command line nan, as str 'nan' and 'nan'
#   1e3: in a file 1000.0, on the command line 1000.0, as str '1000.0' and '1000.0'
#   names [no, yes] in a file: ['False', 'True'], on the command line: ['no', 'yes']
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet hydra-core==1.3.8 omegaconf==2.3.1; } || exit 2
venv/bin/python - <<'PY'
import dataclasses
import pathlib
import sys
from typing import Any

import hydra
from hydra.core.config_store import ConfigStore


@dataclasses.dataclass
class Schema:
    text: str = ""
    names: list[str] = dataclasses.field(default_factory=list)
    anything: Any = None


ConfigStore.instance().store("schema", Schema)


def both(line, override):
    """The config of a file with this line, and that of an override of the schema."""
    pathlib.Path("experiment.yaml").write_text(f"defaults: [schema, _self_]\n{line}\n")
    with hydra.initialize_config_dir(str(pathlib.Path.cwd()), version_base="1.3"):
        return hydra.compose("experiment"), hydra.compose("schema", overrides=[override])


seen = []
for word, file, line, file_text, line_text in (
    ("off", False, "off", "False", "off"),
    ("yes", True, "yes", "True", "yes"),
    ("010", 8, "010", "8", "010"),
    ("1:30", 90, "1:30", "90", "1:30"),
    ("nan", "nan", float("nan"), "nan", "nan"),
    ("1e3", 1000.0, 1000.0, "1000.0", "1000.0"),
):
    values = [config.anything for config in both(f"anything: {word}", f"anything={word}")]
    texts = [config.text for config in both(f"text: {word}", f"text={word}")]
    print(f"{word}: in a file {values[0]!r}, on the command line {values[1]!r}, as str {texts[0]!r} and {texts[1]!r}")
    seen.append([repr(value) for value in values] == [repr(file), repr(line)] and texts == [file_text, line_text])
names = [list(config.names) for config in both("names: [no, yes]", "names=[no,yes]")]
print(f"names [no, yes] in a file: {names[0]}, on the command line: {names[1]}")
seen.append(names == [["False", "True"], ["no", "yes"]])
sys.exit(not all(seen))
PY
