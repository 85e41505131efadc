"""The wheel carries plugins/ and conf/, and works away from the checkout."""

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.helpers import ROOT


def run(*command, **kwargs):
    result = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, **kwargs)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.mark.slow
def test_a_built_wheel_works_in_a_clean_environment_from_another_directory(tmp_path):
    source = tmp_path / "source"
    # A copy: a build leaves its folders beside the sources.
    tracked = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT).split("\0")
    for name in filter(None, tracked):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    build = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"
    wheel = tmp_path / run(sys.executable, "-c", build, tmp_path, cwd=source).split()[-1]

    venv.create(tmp_path / "clean", with_pip=False)
    python = tmp_path / "clean" / "bin" / "python"
    site = next((tmp_path / "clean").glob("lib/*/site-packages"))
    run(sys.executable, "-m", "pip", "install", "--no-deps", "--target", site, wheel)
    # What stnkit depends on is read from this environment. Its .pth files are not: no editable install shines through.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    stnkit = [python, "-c", "from stnkit.cli.main import entry; entry()"]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    located = run(python, "-c", "import stnkit; print(stnkit.__file__)", cwd=elsewhere, env=environment)
    assert Path(located.strip()).is_relative_to(tmp_path)
    listed = run(*stnkit, "plugins", cwd=elsewhere, env=environment)
    for path in (ROOT / "plugins").glob("*/*.py"):
        if path.name != "__init__.py":
            assert f"stnkit_plugins.{path.parent.name}.{path.stem}" in listed
    # Its templates are there too.
    run(*stnkit, "plugins", "new", "transform", "swirl", cwd=elsewhere, env=environment)
    quick = ["network=paper_fcn", "localizer=fully_connected", "training.epochs=1", "training.progress=false"]
    assert "test error" in run(*stnkit, "train", *quick, "training=paper", *quick, cwd=elsewhere, env=environment)
    run(*stnkit, "report", "runs", "--html", "page.html", cwd=elsewhere, env=environment)
    assert (elsewhere / "page.html").read_text().count("data:image/png") > 5
