"""MNN, for phones; it converts the file first."""

import contextlib
import tempfile
from pathlib import Path
from typing import Any

import MNN.expr
import MNN.nn
import numpy as np

from stnkit.errors import ExportError
from stnkit.exporting.arrays import Array
from stnkit.exporting.onnx_file import OnnxFile
from stnkit.exporting.runtimes import Runs


def load(path: Path) -> Runs:
    """The file as a function.

    Args:
        path: of an ONNX file.

    Raises:
        ExportError: when the converter refuses the file; it prints the reason.
    """
    # Its converter itself: the command of that name reports what it did to its vendor, and calls pip to be able to.
    import _tools

    file = OnnxFile(path)
    with tempfile.TemporaryDirectory() as folder:
        converted = Path(folder, "model.mnn")
        _tools.mnnconvert(["mnnconvert", "-f", "ONNX", "--modelFile", str(path), "--MNNModel", str(converted)])
        if not converted.is_file():
            raise ExportError("its converter gives no file")
        module = MNN.nn.load_module_from_file(str(converted), [file.metadata["input"]["name"]], file.outputs)

    def run(images: Array) -> dict[str, Array]:
        given = MNN.expr.placeholder(list(images.shape), MNN.expr.NCHW)
        given.write(images)
        return {name: _values(value) for name, value in zip(file.outputs, module.onForward([given]), strict=True)}

    return {"": run}


def _values(value: Any) -> Array:
    with contextlib.suppress(RuntimeError):  # of two dimensions there is nothing to convert
        value = MNN.expr.convert(value, MNN.expr.NCHW)
    return np.array(value.read())
