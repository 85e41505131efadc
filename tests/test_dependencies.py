"""Dependencies: ranges in pyproject.toml, pins in constraints.txt."""

import re
import tomllib

from tests.helpers import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_constraints_pin_every_direct_dependency():
    pinned = {
        line.split("==")[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line
    }
    direct = PROJECT["project"]["dependencies"] + PROJECT["project"]["optional-dependencies"]["dev"]
    names = {re.split(r"[\[<>=!~ ]", d)[0].lower() for d in direct} - {"stnkit"}
    assert names <= pinned
    assert "torch==2.13.0" in (ROOT / "constraints.txt").read_text().splitlines()


def test_ranges_not_pins_stand_in_pyproject():
    assert not [d for d in PROJECT["project"]["dependencies"] if "==" in d]
