"""stnkit as it was before the native warp, beside today's: the tree of one commit under another name.

The commit comes from the history of this clone. Where that is too short, this contender is not installed.
"""

import importlib
import io
import re
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from warp import Inputs, Warp

COMMIT = "23f8b44"
ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".benchmarks" / f"before-{COMMIT}"
# The packages of that commit and their folders, each renamed in every source: today's have the same names.
PACKAGES = {"stnkit": "stnkit", "stnkit_plugins": "plugins"}
NAME = re.compile(r"\bstnkit(_plugins)?\b")
RENAMED = r"before_stnkit\1"


def family_and_sampler(
    transform: str, options: dict[str, Any], sampler: str, sampler_options: dict[str, Any]
) -> tuple[Any, Any]:
    """Components of that commit, as its `build` makes them: it finds those that are installed, and it is not."""
    _install()
    return _component("transforms", transform)(**options), _component("samplers", sampler)(**sampler_options)


def stnkit_warp(
    transform: str,
    options: dict[str, Any] | None = None,
    sampler: str = "bilinear",
    sampler_options: dict[str, Any] | None = None,
) -> Callable[[Inputs], Warp]:
    """The warp by that commit: the family's grid, read by a sampler."""

    def contender(inputs: Inputs) -> Warp:
        family, read = family_and_sampler(transform, options or {}, sampler, sampler_options or {})
        image, theta = (leaf.clone().requires_grad_() for leaf in (inputs.image, inputs.theta))
        return Warp(lambda: read(image, family.grid(theta, image.shape[2:])), (image, theta))

    return contender


def _component(kind: str, name: str) -> type:
    module = importlib.import_module(f"before_stnkit_plugins.{kind}.{name}")
    (component,) = module.stnkit_components()
    return component.cls


def _install() -> None:
    if not (FOLDER / "done").is_file():
        command = ["git", "archive", "--format=tar", COMMIT, *PACKAGES.values()]
        archive = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
        if archive.returncode:
            raise ModuleNotFoundError(f"no commit {COMMIT}", name=f"stnkit at {COMMIT}: not in this clone's history")
        _unpack(archive.stdout)
    if str(FOLDER) not in sys.path:
        sys.path.insert(0, str(FOLDER))


def _unpack(archive: bytes) -> None:
    names = {folder: NAME.sub(RENAMED, package) for package, folder in PACKAGES.items()}
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        for member in files.getmembers():
            top, _, inner = member.name.partition("/")
            if not member.isfile() or not inner.endswith(".py"):
                continue
            path = FOLDER / names[top] / inner
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(NAME.sub(RENAMED, files.extractfile(member).read().decode()))
    (FOLDER / "done").touch()
