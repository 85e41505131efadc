"""The formats of exported files, a module each: `write` makes a file of a program, `load` runs it."""

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stnkit.errors import InputError, NotInstalledError

if TYPE_CHECKING:
    from torch.export import ExportedProgram

    from stnkit.exporting.arrays import Run


@dataclass(frozen=True)
class Contents:
    """All that a file holds beside the program.

    Args:
        outputs: names of all outputs of the program, in their order.
        hidden: those of them that the file computes and does not return.
        metadata: names and JSON values.
        opset: of ONNX; None for the default.
    """

    outputs: tuple[str, ...]
    hidden: tuple[str, ...]
    metadata: Mapping[str, str]
    opset: int | None = None


@dataclass(frozen=True)
class Format:
    """A format of exported files.

    Args:
        runtime: the program that runs a file for the proof, with its version.
        write: makes the file of a program; returns the opset, or None.
        load: the file as a function from images to outputs by name.
        expose: makes a copy of a file that returns hidden outputs too; None where a file has no hidden ones.
        note: a sentence for users of such a file.
    """

    runtime: Callable[[], str]
    write: "Callable[[ExportedProgram, Contents, Path], int | None]"
    load: "Callable[[Path], Run]"
    expose: Callable[[Path, Sequence[str], Path], None] | None
    note: str


# Name: its module.
FORMATS = {"onnx": "onnx", "torch": "torch_program", "aoti": "aoti"}
# The formats of files with a suffix; the first one is its default.
SUFFIXES = {".onnx": ("onnx",), ".pt2": ("torch", "aoti")}
_EXTRA = ("onnx", "onnxruntime", "onnxscript")


def format_of(path: Path, name: str | None) -> str:
    """The name of the format of a file: the one that is given, or that of its suffix, or else onnx.

    Args:
        path: of the file.
        name: of a format; None for that of the suffix.

    Raises:
        InputError: when the suffix is that of another format.
    """
    of_suffix = SUFFIXES.get(path.suffix.lower())
    if name is None:
        return of_suffix[0] if of_suffix else "onnx"
    if of_suffix and isinstance(name, str) and name in FORMATS and name not in of_suffix:
        raise InputError(f"{path}: expected another suffix for the format {name}, got that of {of_suffix[0]}")
    return name


def format_named(name: str) -> Format:
    """The format of a name.

    Args:
        name: onnx, torch or aoti.

    Raises:
        InputError: when there is none of that name.
        NotInstalledError: when a library that it needs is not installed.
    """
    if not isinstance(name, str) or name not in FORMATS:
        raise InputError(f"expected one of the formats {', '.join(FORMATS)}, got {name!r}")
    try:
        module: Any = importlib.import_module(f"stnkit.exporting.formats.{FORMATS[name]}")
        for package in _EXTRA if name == "onnx" else ():
            importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name not in _EXTRA:
            raise
        raise NotInstalledError(f"{error.name} is not installed: pip install 'stnkit[export]'") from error
    return Format(module.runtime, module.write, module.load, getattr(module, "expose", None), module.NOTE)
