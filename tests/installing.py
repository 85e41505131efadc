"""`pip install`, as far as tests need it: no network, no dependencies, a folder of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stnkit.registry import registry


def pip_install(target, *packages):
    """Install packages into `target` from copies, as a build leaves its folders beside the sources."""
    copies = []
    for package in map(Path, packages):
        copies.append(target.parent / f"{target.name}-sources" / package.name)
        shutil.copytree(package, copies[-1], ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", target, *copies]
    result = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.fixture
def install(tmp_path, monkeypatch):
    """`pip install` of packages that this process and its children then see, and that it forgets in the end.

    With editable=True modules are read from the folder itself, as `pip install -e` has it.
    """
    sites = []

    def run(*packages, editable=False):
        site = tmp_path / f"site-{len(sites)}"
        sites.append(site)
        pip_install(site, *packages)
        for folder in [site, *(map(Path, packages) if editable else [])]:
            monkeypatch.syspath_prepend(str(folder))
            monkeypatch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
        registry.cache_clear()
        return site

    yield run
    registry.cache_clear()
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]
