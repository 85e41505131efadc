"""The house: a folder is a kind, a file is a name, dependencies point one way."""

import ast
import tomllib
from pathlib import Path

import pytest

import stnkit
from stnkit.plugin_system.kinds import KINDS
from stnkit.plugin_system.registry import plugin_registry
from tests.helpers import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PLUGIN_FILES = sorted(p for p in (ROOT / "plugins").glob("*/*.py") if p.name != "__init__.py")
EXAMPLES = sorted(p for p in (ROOT / "examples").glob("*/") if (p / "pyproject.toml").is_file())
EXAMPLE_FILES = sorted(p for example in EXAMPLES for p in example.rglob("*.py") if "build" not in p.parts)
CORE_FILES = sorted(
    p
    for p in (ROOT / "stnkit").rglob("*.py")
    if p.relative_to(ROOT / "stnkit").parts[0] not in ("experiments", "cli", "testing", "__main__.py")
)


def imports(path):
    """Every module that a file imports, and the names that it takes from `stnkit` itself."""
    modules, names = set(), set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules.add(node.module)
            names |= {alias.name for alias in node.names if node.module == "stnkit"}
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "stnkit":
            names.add(node.attr)
    return modules, names


def test_every_plugin_file_has_its_entry_point_and_every_entry_point_its_file():
    entry_points = PROJECT["project"]["entry-points"]["stnkit"]
    files = {f"{p.parent.name[:-1]}.{p.stem}": f"stnkit_plugins.{p.parent.name}.{p.stem}" for p in PLUGIN_FILES}
    assert entry_points == files


def test_every_plugin_file_provides_the_component_of_its_name():
    provided = {
        (e.kind, e.name): e.source.module for e in plugin_registry().registered if e.source.distribution == "stnkit"
    }
    expected = {(p.parent.name[:-1], p.stem): f"stnkit_plugins.{p.parent.name}.{p.stem}" for p in PLUGIN_FILES}
    assert provided == expected


def test_every_folder_of_plugins_is_a_kind():
    assert {p.parent.name for p in PLUGIN_FILES} == {f"{kind}s" for kind in KINDS}


@pytest.mark.parametrize("path", [*PLUGIN_FILES, *EXAMPLE_FILES], ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_plugins_and_examples_import_only_public_names(path):
    modules, names = imports(path)
    # The conformance kit is for the tests of a plugin, which stand in an example but not in a plugin's own file.
    kit = {"stnkit.testing"} if path in EXAMPLE_FILES else set()
    assert not {m for m in modules if m.split(".")[0] in ("stnkit", "stnkit_plugins")} - {"stnkit"} - kit
    assert names <= set(stnkit.__all__) | {name.removeprefix("stnkit.") for name in kit}


def test_every_entry_point_of_an_example_leads_to_a_file_of_it():
    for example in EXAMPLES:
        project = tomllib.loads((example / "pyproject.toml").read_text())["project"]
        assert project["entry-points"]["stnkit"], example
        for module in project["entry-points"]["stnkit"].values():
            path = Path(*module.split("."))
            assert [p for root in (example, example / "src") for p in root.glob(f"{path}.py")] or [
                p for root in (example, example / "src") for p in root.glob(f"{path}/__init__.py")
            ], module


@pytest.mark.parametrize("path", CORE_FILES, ids=lambda p: p.stem)
def test_the_core_imports_no_experiments_no_cli_and_no_plugin(path):
    modules, _ = imports(path)
    if path == ROOT / "stnkit" / "__init__.py":
        return  # its lazy table names public names of the experiments
    forbidden = ("stnkit.experiments", "stnkit.cli", "stnkit_plugins", "lightning")
    hydra = () if path.name == "configs.py" else ("hydra", "omegaconf")
    assert not [m for m in modules if m.startswith(forbidden + hydra)]


@pytest.mark.parametrize("path", sorted((ROOT / "stnkit" / "experiments").rglob("*.py")), ids=lambda p: p.stem)
def test_experiments_import_no_cli_and_no_plugin(path):
    assert not [m for m in imports(path)[0] if m.startswith(("stnkit.cli", "stnkit_plugins"))]


@pytest.mark.parametrize(
    "path", [*CORE_FILES, *sorted((ROOT / "stnkit" / "experiments").rglob("*.py"))], ids=lambda p: p.stem
)
def test_no_string_outside_of_the_plugins_names_a_component(path):
    names = {e.name for e in plugin_registry().registered} - {"none", "scale"}
    tree = ast.parse(path.read_text())
    docstrings = {
        id(n.body[0].value)
        for n in ast.walk(tree)
        if isinstance(n, ast.Module | ast.ClassDef | ast.FunctionDef) and n.body and isinstance(n.body[0], ast.Expr)
    }
    strings = {
        n.value
        for n in ast.walk(tree)
        if isinstance(n, ast.Constant) and isinstance(n.value, str) and id(n) not in docstrings
    }
    assert not strings & names


def test_the_packages_of_the_wheel_are_the_folders_of_the_repository():
    def packages(folder, name):
        inside = [
            p.parent.relative_to(ROOT / folder)
            for p in (ROOT / folder).rglob("*")
            if p.suffix in (".py", ".yaml") and "__pycache__" not in p.parts
        ]
        return {".".join((name, *p.parts)) for p in inside}

    expected = packages("stnkit", "stnkit") | packages("plugins", "stnkit_plugins") | packages("conf", "stnkit.conf")
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == expected


def test_constraints_pin_every_direct_dependency():
    pinned = {
        line.split("==")[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line
    }
    import re

    direct = PROJECT["project"]["dependencies"] + PROJECT["project"]["optional-dependencies"]["dev"]
    names = {re.split(r"[\[<>=!~ ]", d)[0].lower() for d in direct} - {"stnkit"}
    assert names <= pinned
    assert "torch==2.13.0" in (ROOT / "constraints.txt").read_text().splitlines()


def test_ranges_not_pins_stand_in_pyproject():
    assert not [d for d in PROJECT["project"]["dependencies"] if "==" in d]
