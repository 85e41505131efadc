"""The folders of YAML in which Hydra looks for configs, read without Hydra."""

import importlib.resources
import importlib.util
from importlib.resources.abc import Traversable
from pathlib import Path

from stnkit.errors import InputError

# The application's own.
APPLICATION = "pkg://stnkit.conf"


def check_search_path(path: str) -> None:
    """Raise an InputError when Hydra would find nothing there.

    Args:
        path: `pkg://my_package.conf` or `file:///a/folder`.
    """
    if not isinstance(path, str) or not path.startswith(("pkg://", "file://")):
        raise InputError(f"search path: expected pkg://PACKAGE or file:///FOLDER, got {path!r}")
    try:
        if path.startswith("pkg://"):
            _check_package(path.removeprefix("pkg://").replace("/", "."))
        folder = _folder(path)
        there = folder.is_dir()
    except (ImportError, TypeError, ValueError, OSError) as error:
        raise InputError(f"the search path {path} does not exist: {error}") from error
    if not there:
        raise InputError(f"the search path {path} does not exist")
    if path.startswith("pkg://") and not (folder / "__init__.py").is_file():
        raise InputError(
            f"the search path {path} is not a package: it has no __init__.py, without which Hydra skips it"
        )


def file_in(path: str, group: str, name: str) -> str | None:
    """The YAML file of the config `group/name` under a search path, or None.

    Args:
        path: as Hydra writes it; other schemes than pkg:// and file:// hold no files.
        group: of configs.
        name: of the config.
    """
    try:
        file = _folder(path).joinpath(group, f"{name}.yaml") if path.startswith(("pkg://", "file://")) else None
    except (ImportError, TypeError, ValueError):
        return None
    return f"{path}/{group}/{name}.yaml" if file is not None and file.is_file() else None


def _check_package(name: str) -> None:
    # From Python 3.12 on, importlib.resources takes a module for the folder that it lies in.
    spec = importlib.util.find_spec(name)
    if spec is None:
        raise ModuleNotFoundError(f"No module named {name!r}")
    if spec.submodule_search_locations is None:
        raise TypeError(f"{name} is a module, and no package")


def _folder(path: str) -> Traversable:
    scheme, _, location = path.partition("://")
    return Path(location) if scheme == "file" else importlib.resources.files(location.replace("/", "."))
