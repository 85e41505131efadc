"""A program of torch.export, for Python and for PyTorch's own tools such as ExecuTorch."""

from importlib.metadata import version
from pathlib import Path

import torch

from stnkit.exporting.arrays import Array, Run
from stnkit.exporting.formats import Contents
from stnkit.exporting.program import quiet

NOTE = "the file runs in PyTorch"


def runtime() -> str:
    """The name and version of the program that runs a file for the proof."""
    return f"torch.export {version('torch')}"


def load(path: Path) -> Run:
    """The file as a function from images to outputs by name.

    Args:
        path: of the file.
    """
    with quiet():
        module = torch.export.load(path).module()

    def run(images: Array) -> dict[str, Array]:
        with torch.no_grad():
            outputs = module(torch.from_numpy(images))
        return {name: value.numpy() for name, value in outputs.items()}

    return run


def write(program: torch.export.ExportedProgram, contents: Contents, path: Path) -> None:
    """Write a program of torch.export; its extra files have the metadata.

    Args:
        program: with the outputs that were asked for.
        contents: of the file.
        path: of the file.
    """
    with quiet():
        torch.export.save(program, path, extra_files=dict(contents.metadata))
