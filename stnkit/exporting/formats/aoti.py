"""AOTInductor: a compiled library in a package, for C++ and Python on the kind of machine that compiled it.

`torch._inductor.aoti_compile_and_package` and `aoti_load_package` are how PyTorch documents this, under a private name.
"""

from importlib.metadata import version
from pathlib import Path

import torch

from stnkit.errors import ExportError
from stnkit.exporting.arrays import Array, Run
from stnkit.exporting.formats import Contents
from stnkit.exporting.program import quiet, reason

NOTE = "the file runs on the kind of processor that it was compiled on"


def runtime() -> str:
    """The name and version of the program that runs a file for the proof."""
    return f"AOTInductor {version('torch')}"


def load(path: Path) -> Run:
    """The file as a function from images to outputs by name.

    Args:
        path: of the file.
    """
    with quiet():
        package = torch._inductor.aoti_load_package(str(path))

    def run(images: Array) -> dict[str, Array]:
        outputs = package(torch.from_numpy(images))
        return {name: value.numpy() for name, value in outputs.items()}

    return run


def write(program: torch.export.ExportedProgram, contents: Contents, path: Path) -> None:
    """Compile a program for this machine, which takes a minute, and write the package.

    Args:
        program: with the outputs that were asked for.
        contents: of the file.
        path: of the file.

    Raises:
        ExportError: when the compiler fails.
    """
    package = path.with_suffix(".pt2")  # another suffix is refused
    options = {"aot_inductor.metadata": dict(contents.metadata)}
    try:
        with quiet():
            torch._inductor.aoti_compile_and_package(program, package_path=str(package), inductor_configs=options)
    except Exception as error:
        raise ExportError(f"cannot be compiled by AOTInductor: {reason(error)}") from error
    package.replace(path)
