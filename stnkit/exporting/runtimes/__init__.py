"""Runtimes that read ONNX, a module each, which is imported when it is used; none of them imports torch."""

from collections.abc import Mapping
from dataclasses import dataclass

from stnkit.exporting.arrays import Run

# By setting, "" for the one that is asked to compute in float32: a file as a function from images to outputs by name.
Runs = Mapping[str, Run]


@dataclass(frozen=True)
class Runtime:
    """A runtime that reads ONNX.

    Args:
        package: the distribution that pip installs.
        imported: the module that it provides.
    """

    package: str
    imported: str


# Name: the library. The module in this folder has that name, and a function `load(path) -> Runs`.
RUNTIMES = {
    "onnxruntime": Runtime("onnxruntime", "onnxruntime"),
    "openvino": Runtime("openvino", "openvino"),
    "tract": Runtime("tract", "tract"),
    "mnn": Runtime("MNN", "MNN"),
}
