"""The house: a folder is a kind, a file is a name, dependencies point one way."""

import ast
import functools
import graphlib
import re
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
# The layers, the lowest first: a file imports from its own and from lower ones.
LAYERS = ("", "experiments", "testing", "scaffold", "cli")
ABOVE_THE_CORE = LAYERS[1:]
# The façade names what users need of any layer, lazily; `python -m stnkit` is the command line.
FACADES = {ROOT / "stnkit" / "__init__.py", ROOT / "stnkit" / "__main__.py"}
SOURCES = sorted(set((ROOT / "stnkit").rglob("*.py")) - FACADES)
CORE_FILES = [p for p in SOURCES if p.relative_to(ROOT / "stnkit").parts[0] not in ABOVE_THE_CORE]
EXPERIMENT_FILES = [p for p in SOURCES if p.relative_to(ROOT / "stnkit").parts[0] == "experiments"]
# What plugins may import: the public names, and the modules one level down that are public names themselves.
PUBLIC_MODULES = {"stnkit", *(f"stnkit.{name}" for name, module in stnkit._MODULES.items() if not module)}
PUBLIC_MODULES |= {f"stnkit.{name}" for name in stnkit._SUBMODULES}


@functools.cache
def tree_of(path):
    """The syntax tree of a file, which several tests read."""
    return ast.parse(path.read_text())


@functools.cache
def imports(path):
    """Every module that a file imports, and the names that it takes from `stnkit` itself."""
    modules, names = set(), set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules.add(node.module)
            names |= {alias.name for alias in node.names if node.module == "stnkit"}
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "stnkit":
            names.add(node.attr)
    return modules, names


def strings(path):
    """The strings of a file that are no docstrings."""
    tree = tree_of(path)
    docstrings = {
        id(n.body[0].value)
        for n in ast.walk(tree)
        if isinstance(n, ast.Module | ast.ClassDef | ast.FunctionDef) and n.body and isinstance(n.body[0], ast.Expr)
    }
    return [
        n.value
        for n in ast.walk(tree)
        if isinstance(n, ast.Constant) and isinstance(n.value, str) and id(n) not in docstrings
    ]


def test_plugin_files_and_entry_points_match_one_to_one():
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
    allowed = PUBLIC_MODULES if path in EXAMPLE_FILES else PUBLIC_MODULES - {"stnkit.testing"}
    assert {m for m in modules if m.split(".")[0] in ("stnkit", "stnkit_plugins")} <= allowed
    assert names <= {*stnkit.__all__, *stnkit._SUBMODULES}


@pytest.mark.parametrize("path", PLUGIN_FILES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_plugins_take_what_is_public_one_level_down(path):
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute):
            module = getattr(node.value.value, "id", None), node.value.attr
            if module in (("stnkit", "families"), ("stnkit", "localizers"), ("stnkit", "samplers")):
                assert node.attr in getattr(stnkit, module[1]).__all__
            elif module in (("stnkit", "errors"), ("stnkit", "distortions"), ("stnkit", "coordinates")):
                assert not node.attr.startswith("_")
                assert hasattr(getattr(stnkit, module[1]), node.attr)


def test_every_entry_point_of_an_example_leads_to_a_file_of_it():
    for example in EXAMPLES:
        project = tomllib.loads((example / "pyproject.toml").read_text())["project"]
        assert project["entry-points"]["stnkit"], example
        for module in project["entry-points"]["stnkit"].values():
            path = Path(*module.split("."))
            assert [p for root in (example, example / "src") for p in root.glob(f"{path}.py")] or [
                p for root in (example, example / "src") for p in root.glob(f"{path}/__init__.py")
            ], module


def layer_of(module):
    """The layer of a module of stnkit, 0 for the core."""
    second = f"{module}.".split(".")[1]
    return LAYERS.index(second) if second in LAYERS else 0


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT / "stnkit")))
def test_a_file_imports_from_its_own_layer_and_lower_ones(path):
    modules, _ = imports(path)
    own = layer_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
    assert not [m for m in modules if m.split(".")[0] == "stnkit_plugins"]
    assert not [m for m in modules if m.split(".")[0] == "stnkit" and layer_of(m) > own]


@pytest.mark.parametrize("path", CORE_FILES, ids=lambda p: str(p.relative_to(ROOT / "stnkit")))
def test_the_core_names_no_higher_layer_and_imports_no_framework(path):
    higher = re.compile(rf"stnkit\.({'|'.join(ABOVE_THE_CORE)})\b")
    assert not [s for s in strings(path) if higher.search(s)]
    frameworks = ("lightning",) if path.name == "hydra_configs.py" else ("lightning", "hydra", "omegaconf")
    assert not [m for m in imports(path)[0] if m.split(".")[0] in frameworks]


PACKAGES = sorted({p.parent for p in SOURCES if p.parent != ROOT / "stnkit"})


def test_no_two_folders_import_each_other():
    def folder(module):
        path = ROOT.joinpath(*module.split("."))
        return path if path.is_dir() else path.parent

    arrows = {
        (path.parent, folder(module))
        for path in SOURCES
        for module in top_level_imports(path)
        if module.split(".")[0] == "stnkit" and folder(module) in PACKAGES
    }
    # A folder and a folder inside of it are one room with an alcove.
    apart = {(a, b) for a, b in arrows if a not in (b, *b.parents) and b not in a.parents}
    graph = {package: {b for a, b in apart if a == package} for package in PACKAGES}
    list(graphlib.TopologicalSorter(graph).static_order())  # a cycle raises, and names its folders


def test_no_two_modules_import_each_other():
    def known(module):
        path = ROOT.joinpath(*module.split("."))
        return next((p for p in (path.with_suffix(".py"), path / "__init__.py") if p in SOURCES), None)

    graph = {path: {known(m) for m in top_level_imports(path)} - {None, path} for path in SOURCES}
    list(graphlib.TopologicalSorter(graph).static_order())


def top_level_imports(path):
    """The modules that a file imports when it is imported itself."""
    modules = set()
    for node in tree_of(path).body:
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            inner = [n for n in names if ROOT.joinpath(*n.split(".")).with_suffix(".py").is_file()]
            modules |= set(inner) or {node.module}
    return modules


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT / "stnkit")))
def test_the_plugin_system_is_entered_by_its_facade(path):
    if path.is_relative_to(ROOT / "stnkit" / "plugin_system"):
        return
    assert not [m for m in imports(path)[0] if m.startswith("stnkit.plugin_system.")]


PRIVATE = {
    "torch": (
        r"torch\._(?!dynamo\b)\w+|from torch\._|torch\.utils\._|forward_ad\._",
        {"families/tracing.py", "exporting/formats/aoti.py", "testing/other_device.py"},
    ),
    "hydra": (r"hydra\._internal", {"cli/hydra_internals.py"}),
}


@pytest.mark.parametrize("library", PRIVATE)
def test_private_names_of_a_library_are_in_one_file(library):
    pattern, allowed = PRIVATE[library]
    using = {str(p.relative_to(ROOT / "stnkit")) for p in SOURCES if re.search(pattern, p.read_text())}
    using |= {p.stem for p in PLUGIN_FILES if re.search(pattern, p.read_text())}
    assert using <= allowed


@pytest.mark.parametrize("path", [*SOURCES, *PLUGIN_FILES], ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_a_module_is_one_room_and_speaks_plainly(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 300
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            first = (ast.get_docstring(node) or " ").split(maxsplit=1)
            assert first[:1] not in (["What"], ["Whether"], ["Where"], ["How"], ["Which"]), (path.name, node)


@pytest.mark.parametrize("path", [*SOURCES, *PLUGIN_FILES], ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_the_body_of_a_function_fits_on_a_screen(path):
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            assert not body or body[-1].end_lineno - body[0].lineno < 50, node.name


def test_the_tests_are_laid_out_as_the_source():
    folders = {str(p.parent.relative_to(ROOT / "stnkit")) for p in SOURCES} | {"plugins", "."}
    folders |= {f"plugins/{p.parent.name}" for p in PLUGIN_FILES}
    extra = {"plugin_system/api_1", "testing/broken"}
    used = {str(p.parent.relative_to(ROOT / "tests")) for p in (ROOT / "tests").rglob("*.py")}
    assert used <= folders | extra


def test_helpers_are_in_helpers_and_fixtures_in_conftest():
    for path in (ROOT / "tests").rglob("*.py"):
        assert not [m for m in imports(path)[0] if m.endswith("conftest") or m.startswith("tests.test_")], path
        taken = {
            alias.name
            for node in ast.walk(tree_of(path))
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tests")
            for alias in node.names
        }
        assert not taken & {"install", "stnkit_main", "stnkit_process", "make_distribution"}, path


def test_names_of_tests_fit_into_60_characters():
    names = [
        (path.name, node.name)
        for path in (ROOT / "tests").rglob("*.py")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    ]
    assert not [name for name in names if len(name[1]) > 60]


@pytest.mark.parametrize("path", [*CORE_FILES, *EXPERIMENT_FILES], ids=lambda p: str(p.relative_to(ROOT / "stnkit")))
def test_no_string_outside_of_the_plugins_names_a_component(path):
    contracts = stnkit.families.MatrixFamily, stnkit.Dataset
    attributes = {name for cls in contracts for name in (*dir(cls), *cls.abstract_attributes)}
    # `stnkit.families.bounded` marks a hook.
    attributes |= {*stnkit.families.__all__}
    names = {e.name for e in plugin_registry().registered} - {"none", "scale", *attributes}
    # The objective of the runs of versions that had no other one.
    earlier = {"classification"} if path.name == "job_identity.py" else set()
    # A key of metrics.json, older than the objective of that name.
    earlier |= {"pose"} if path.name in ("measure.py", "undefined.py", "earlier_records.py") else set()
    # A mode of SciPy, which is no sampler.
    earlier |= {"nearest"} if path == ROOT / "stnkit" / "interop" / "scipy.py" else set()
    assert not set(strings(path)) & names - earlier


def test_the_packages_of_the_wheel_are_the_folders_with_code():
    def packages(folder, name):
        inside = [
            p.parent.relative_to(ROOT / folder)
            for p in (ROOT / folder).rglob("*")
            if p.suffix in (".py", ".yaml") and "__pycache__" not in p.parts
        ]
        return {".".join((name, *p.parts)) for p in inside}

    expected = packages("stnkit", "stnkit") | packages("plugins", "stnkit_plugins") | packages("conf", "stnkit.conf")
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == expected


def test_the_native_library_is_rebuilt_for_each_of_its_headers():
    (extension,) = PROJECT["tool"]["setuptools"]["ext-modules"]
    headers = sorted(str(p.relative_to(ROOT)) for p in (ROOT / "stnkit" / "native" / "source").rglob("*.h"))
    assert extension["depends"] == headers
