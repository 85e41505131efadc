#!/usr/bin/env bash
# OmegaConf: a field of type `tuple[int, int]` accepts three numbers, and comes back as a list.
#
# Expected: a structured config rejects what its annotation excludes, as it does for the type of each entry, and
#   `to_object` makes an object whose attribute is a tuple.
# Happens: the first type of the annotation holds for every entry (so `tuple[int, str]` rejects its own default), the
#   length is not checked, and `to_object` gives a list.
# Seen with Python 3.11.7, omegaconf 2.3.1:
#   three entries: Window(size=[1, 2, 3])
#   two entries: Window(size=[1, 2])
#   a word: rejected
#   tuple[int, str] with the default (8, "wide"): rejected
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet omegaconf==2.3.1; } || exit 2
venv/bin/python - <<'PY'
import sys
from dataclasses import dataclass

from omegaconf import OmegaConf
from omegaconf.errors import ValidationError


@dataclass
class Window:
    size: tuple[int, int] = (8, 8)


@dataclass
class Labeled:
    size: tuple[int, str] = (8, "wide")


def mixed():
    try:
        return str(OmegaConf.to_object(OmegaConf.structured(Labeled)))
    except ValidationError:
        return "rejected"


def merged(size):
    try:
        return str(OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(Window), {"size": size})))
    except ValidationError:
        return "rejected"


three, two, word = merged([1, 2, 3]), merged([1, 2]), merged(["wide", 2])
print("three entries:", three)
print("two entries:", two)
print("a word:", word)
print('tuple[int, str] with the default (8, "wide"):', mixed())
seen = (three, two, word, mixed())
sys.exit(seen != ("Window(size=[1, 2, 3])", "Window(size=[1, 2])", "rejected", "rejected"))
PY
