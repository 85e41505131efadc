"""The wheel carries plugins/ and conf/, and works away from the checkout."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

import stnkit
from tests.helpers import ROOT

NATIVE = [*(ROOT / "stnkit" / "native").glob("*.so")]
# One process for all commands: most of a process's time is the import of torch and Lightning.
COMMANDS = """
import json, sys, stnkit
from stnkit.cli.main import main

print(stnkit.__file__)
for arguments in json.loads(sys.argv[1]):
    print("$", *arguments)
    if code := main(arguments):
        sys.exit(code)
"""


def run(*command, **kwargs):
    result = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, **kwargs)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def _spare_the_compiler(source):
    """Give the build the native library of this checkout, compiled by the same `setup()`, unless a source is newer."""
    sources = [path for path in (ROOT / "stnkit" / "native" / "source").rglob("*") if path.is_file()]
    for library in NATIVE:
        if library.stat().st_mtime > max(path.stat().st_mtime for path in sources):
            platform = f"lib.{sysconfig.get_platform()}-{sys.implementation.cache_tag}"
            built = source / "build" / platform / library.relative_to(ROOT)
            built.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(library, built)


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.training
def test_a_wheel_works_in_a_clean_environment(tmp_path):
    source = tmp_path / "source"
    # A copy: a build leaves its folders beside the sources.
    tracked = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT).split("\0")
    for name in filter(None, tracked):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    _spare_the_compiler(source)
    build = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"
    wheel = tmp_path / run(sys.executable, "-c", build, tmp_path, cwd=source).split()[-1]

    with zipfile.ZipFile(wheel) as archive:
        assert not [name for name in archive.namelist() if name.endswith((".cpp", ".h"))]
        assert [name for name in archive.namelist() if name.endswith("_kernels.abi3.so")] or not NATIVE
    assert "-cp311-abi3-" in wheel.name

    venv.create(tmp_path / "clean", with_pip=False)
    python = tmp_path / "clean" / "bin" / "python"
    site = next((tmp_path / "clean").glob("lib/*/site-packages"))
    run(sys.executable, "-m", "pip", "install", "--no-deps", "--target", site, wheel)
    # What stnkit depends on is read from this environment. Its .pth files are not: no editable install shines through.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    quick = ["network=paper_fcn", "localizer=fully_connected", "training.epochs=1", "training.progress=false"]
    commands = [
        ["plugins"],
        ["plugins", "new", "transform", "swirl"],  # its templates are there too
        ["train", *quick, "training=paper", *quick],
        ["report", "runs", "--html", "page.html"],
    ]
    printed = run(python, "-c", COMMANDS, json.dumps(commands), cwd=elsewhere, env=environment)
    located, listed, _, trained, _ = printed.split("\n$ ")
    assert Path(located).is_relative_to(tmp_path)
    for path in (ROOT / "plugins").glob("*/*.py"):
        if path.name != "__init__.py":
            assert f"stnkit_plugins.{path.parent.name}.{path.stem}" in listed
    assert "test error" in trained
    assert (elsewhere / "page.html").read_text().count("data:image/png") > 5


@pytest.mark.process
def test_a_script_beside_the_clone_runs_as_the_readme_says(tmp_path):
    (tmp_path / "stnkit").mkdir()  # as `git clone` leaves it: a folder that is no package
    script = tmp_path / "script.py"
    script.write_text("import stnkit; print(stnkit.__version__, bool(stnkit.__all__))")
    assert run(sys.executable, "-P", script, cwd=tmp_path).split() == [stnkit.__version__, "True"]
    assert "python -P" in (ROOT / "README.md").read_text()
