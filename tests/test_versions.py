"""The lower bounds of pyproject.toml are the versions of the table in CONTRIBUTING.md, which were run."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from tests.helpers import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
BOUNDS = {r.name: r.specifier for r in map(Requirement, PROJECT["dependencies"])}


def rows():
    """The rows of the table of versions, by their first cell."""
    lines = (ROOT / "CONTRIBUTING.md").read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("| set |"))
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[start : start + 5]]
    return {row[0].strip("`"): dict(zip(table[0], row, strict=True)) for row in table[2:]}


@pytest.mark.parametrize("name", ["torch", "lightning", "hydra-core", "numpy", "scipy", "jaxtyping", "beartype"])
def test_a_lower_bound_is_the_version_that_was_run(name):
    (lowest,) = [Version(s.version) for s in BOUNDS[name] if s.operator == ">="]
    run = Version(rows()["lowest"][name])
    assert Version(run.public) == lowest


@pytest.mark.parametrize("set_", ["lowest", "constraints.txt", "newest"])
def test_the_bounds_allow_what_the_table_names(set_):
    for name, version in rows()[set_].items():
        if name in BOUNDS:
            assert Version(version) in BOUNDS[name], (name, version)


def test_the_table_names_the_versions_of_the_constraints():
    pinned = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().split())
    for name, version in rows()["constraints.txt"].items():
        if name in BOUNDS:
            assert Version(version).public == pinned[name]


def test_python_3_14_is_refused_since_hydra_fails_under_it():
    python = SpecifierSet(PROJECT["requires-python"])
    assert [minor for minor in range(9, 17) if f"3.{minor}.0" in python] == [11, 12, 13]
    named = {int(found[1]) for text in PROJECT["classifiers"] if (found := re.search(r":: 3\.(\d+)$", text))}
    assert named == {11, 12, 13}
