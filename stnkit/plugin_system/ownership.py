"""The distribution that a loaded module belongs to: Python finds a module by its name, whoever wants it."""

import base64
import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse


def foreign_module(name: str, own: Any, others: Sequence[Any], *, failed: bool) -> str:
    """The sentence for a module that is not the one of a distribution; empty where it is, or nobody can tell.

    Args:
        name: of the module that the distribution names; it or a package above it is loaded.
        own: the distribution, of `importlib.metadata`.
        others: distributions that name a module in a package of that name too.
        failed: True if the module cannot be used; else it must be that of one of the others.
    """
    loaded = next((sys.modules[parent] for parent in _with_parents(name) if parent in sys.modules), None)
    if loaded is None or own is None:
        return ""
    places = _places_of(loaded)
    held = [_holds(own, place) for place in places]
    owner = next((other for other in others if any(_holds(other, place) for place in places)), None)
    if any(held) or (owner is None and (None in held or not failed)):
        return ""
    found = str(places[0]) if places else "which is built into Python"
    whose = f", of {owner.name} {owner.version}" if owner is not None else ""
    return (
        f"Python finds another module of the name {loaded.__name__}, {found}{whose}: "
        f"the module of one of the two needs another name"
    )


def _with_parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:n]) for n in range(len(parts), 0, -1)]


def _places_of(module: Any) -> list[Path]:
    """The file of a module, or the folders of a package that has none."""
    file = getattr(module, "__file__", None)
    return [Path(place).resolve() for place in ([file] if file else getattr(module, "__path__", []))]


def _holds(distribution: Any, file: Path) -> bool | None:
    """True if a file, or something in a folder, is of a distribution; None where its metadata do not tell."""
    if folder := _editable_folder(distribution):
        return file.is_relative_to(folder)
    listed = distribution.files
    if listed is None:  # no RECORD: all that lies beside its metadata
        return file.is_relative_to(Path(distribution.locate_file("")).resolve())
    own = [path for path in listed if path.name == file.name and Path(path.locate()).resolve() == file]
    if own:
        return all(path.hash is None or _digest(file, path.hash.mode) == path.hash.value for path in own)
    inside = any(Path(path.locate()).resolve().is_relative_to(file) for path in listed) if file.is_dir() else False
    return inside or (None if any(path.suffix == ".pth" for path in listed) else False)


def _editable_folder(distribution: Any) -> Path | None:
    """The folder of an editable install, or None."""
    try:
        origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    except ValueError:
        return None
    if not origin.get("dir_info", {}).get("editable"):
        return None
    return Path(unquote(urlparse(origin.get("url", "")).path)).resolve()


def _digest(file: Path, mode: str) -> str:
    """The hash of a file as RECORD has it."""
    digest = hashlib.new(mode, file.read_bytes()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
