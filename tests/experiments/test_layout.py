"""The folders of the experiments: which imports which, and what stays free of Lightning."""

import ast
import subprocess
import sys

import pytest

from tests.helpers import ROOT

EXPERIMENTS = ROOT / "stnkit" / "experiments"
PACKAGE = "stnkit.experiments."
# A folder, and the folders and modules of the experiments that it may import.
ALLOWED = {
    "data": set(),
    "losses": {"data", "placement", "schema"},
    "pose": {"class_means", "data", "placement"},
    "run_directory": {"schema"},
    "loop": {"class_samples", "data", "pictures", "losses", "placement", "pose", "run_directory", "schema"},
    "rectification": {"data", "grid_lines", "loop", "placement", "run_directory"},
    "report": {"class_means", "class_samples", "data", "pictures", "picture_rows", "run_directory", "trained_run"},
}


def imported(path):
    """The modules of the experiments that a file imports, inside of functions too."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
    return {node.module.removeprefix(PACKAGE) for node in nodes if node.module and node.module.startswith(PACKAGE)}


@pytest.mark.parametrize("folder", ALLOWED)
def test_a_folder_imports_only_the_folders_below_it(folder):
    found = {module.split(".")[0] for path in (EXPERIMENTS / folder).rglob("*.py") for module in imported(path)}
    assert found - {folder} <= ALLOWED[folder]


def test_no_modules_import_each_other():
    graph = {}
    for path in EXPERIMENTS.rglob("*.py"):
        if path.name != "__init__.py":
            graph[".".join(path.relative_to(EXPERIMENTS).with_suffix("").parts)] = imported(path)
    done = set()

    def visit(module, above):
        assert module not in above, (module, *above)
        if module not in done:
            for other in graph.get(module, ()):
                visit(other, (module, *above))
            done.add(module)

    for module in graph:
        visit(module, ())


def test_only_the_overrides_use_private_names_of_lightning():
    private = {"_current_fx_name", "_ddp_params_and_buffers_to_ignore", "_PATH", "_SignalConnector"}
    for path in EXPERIMENTS.rglob("*.py"):
        tree = ast.parse(path.read_text())
        names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        names |= {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lightning"):
                imported = {alias.name for alias in node.names if alias.name.startswith("_")}
                assert imported <= private, path
                names |= imported
        assert not names & private or path.name == "lightning_overrides.py", path


@pytest.mark.process
def test_launcher_and_directories_import_no_torch_or_lightning():
    modules = ("stnkit.experiments", PACKAGE + "loop.process_launcher", PACKAGE + "run_directory.directories")
    code = f"import {', '.join(modules)}, sys; sys.exit(bool({{'lightning', 'torch'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
