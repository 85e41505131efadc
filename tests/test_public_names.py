import subprocess
import sys

import pytest

import stnkit


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_all_is_sorted_exact_and_importable():
    assert sorted(stnkit.__all__) == stnkit.__all__
    assert set(stnkit.__all__) == set(stnkit._MODULES)
    for name in stnkit.__all__:
        assert getattr(stnkit, name) is not None
    assert dir(stnkit) == sorted([*stnkit.__all__, "__version__"])


def test_the_version_is_that_of_the_distribution():
    from importlib.metadata import version

    assert stnkit.__version__ == version("stnkit")


def test_public_names_are_about_30_and_modules_name_theirs():
    assert len(stnkit.__all__) <= 30
    for module in (stnkit.families, stnkit.samplers):
        assert sorted(module.__all__) == module.__all__
        assert all(hasattr(module, name) for name in module.__all__)


def test_the_names_for_type_checkers_are_the_lazy_ones():
    import ast
    from pathlib import Path

    tree = ast.parse(Path(stnkit.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    names = {
        alias.name: "" if node.module == "stnkit" else node.module.removeprefix("stnkit.")
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert names == stnkit._MODULES


@pytest.mark.process
def test_a_new_name_is_there_behind_a_bare_import():
    names = list({name.split(".")[0]: name for name in stnkit._RENAMED.values()}.values())
    # A process for each name, in which nothing but PyTorch, the slow part, has been imported before.
    result = run(
        "import os, operator, sys, torch\n"
        f"for name in {names}:\n"
        "    if child := os.fork():\n"
        "        assert os.waitpid(child, 0)[1] == 0, name\n"
        "    else:\n"
        "        assert not [module for module in sys.modules if module.startswith('stnkit')]\n"
        "        import stnkit\n"
        "        operator.attrgetter(name)(stnkit)\n"
        "        os._exit(0)"
    )
    assert result.returncode == 0, result.stderr


def test_an_unknown_name_is_an_attribute_error():
    assert not hasattr(stnkit, "no_such_name")


@pytest.mark.process
def test_import_stnkit_imports_no_torch():
    result = run("import sys, stnkit; assert stnkit.errors; assert 'torch' not in sys.modules")
    assert result.returncode == 0, result.stderr


@pytest.mark.process
def test_the_core_imports_neither_hydra_nor_lightning():
    names = (
        "families",
        "samplers",
        "localizers",
        "transformer",
        "warping",
        "plugin_system.registry",
        "plugin_system.building",
    )
    core = ", ".join(f"stnkit.{name}" for name in names)
    result = run(
        "import sys, stnkit\n"
        "assert stnkit.Sampler and 'torch' in sys.modules\n"
        f"import torch, {core}\n"
        "assert stnkit.plugin_system.registry.plugin_registry().names('network')\n"
        "network = torch.nn.Sequential(torch.nn.Conv2d(1, 1, 3))\n"
        "transformer = {'transform': 'affine', 'localizer': 'convolutional', 'sampler': 'bilinear'}\n"
        "stnkit.insert_transformers(network, {'0': transformer}, torch.rand(1, 1, 9, 9))\n"
        "assert not {'hydra', 'lightning', 'omegaconf'} & set(sys.modules)"
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.process
def test_help_and_unknown_commands_import_no_torch_or_hydra():
    for arguments, code in ((["--help"], 0), (["--version"], 0), (["nonsense"], 2), ([], 2)):
        result = run(
            "import sys; from stnkit.cli.main import main; "
            f"assert main({arguments}) == {code}; assert not {{'torch', 'hydra', 'lightning'}} & set(sys.modules)"
        )
        assert result.returncode == 0, result.stderr
