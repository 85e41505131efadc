import subprocess
import sys

import stnkit


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_all_is_sorted_exact_and_importable():
    assert sorted(stnkit.__all__) == stnkit.__all__
    assert set(stnkit.__all__) == set(stnkit._MODULES)
    for name in stnkit.__all__:
        assert getattr(stnkit, name) is not None
    assert dir(stnkit) == stnkit.__all__


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


def test_an_unknown_name_is_an_attribute_error():
    assert not hasattr(stnkit, "no_such_name")


def test_import_stnkit_imports_no_torch():
    result = run("import sys, stnkit; assert 'torch' not in sys.modules; stnkit.Sampler; assert 'torch' in sys.modules")
    assert result.returncode == 0, result.stderr


def test_the_core_imports_neither_hydra_nor_lightning():
    names = ("families", "samplers", "localizers", "transformer", "plugin_system.registry", "plugin_system.building")
    core = ", ".join(f"stnkit.{name}" for name in names)
    found = "stnkit.plugin_system.registry.plugin_registry().names('network')"
    result = run(
        f"import sys, {core}; assert {found}; assert not {{'hydra', 'lightning', 'omegaconf'}} & set(sys.modules)"
    )
    assert result.returncode == 0, result.stderr


def test_help_and_an_unknown_verb_import_neither_torch_nor_hydra():
    for arguments, code in ((["--help"], 0), (["nonsense"], 2), ([], 2)):
        result = run(
            "import sys; from stnkit.cli.main import main; "
            f"assert main({arguments}) == {code}; assert not {{'torch', 'hydra', 'lightning'}} & set(sys.modules)"
        )
        assert result.returncode == 0, result.stderr
