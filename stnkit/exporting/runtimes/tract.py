"""tract, an ONNX runtime in Rust."""

from pathlib import Path

import tract

from stnkit.exporting.arrays import Array
from stnkit.exporting.onnx_file import OnnxFile
from stnkit.exporting.runtimes import Runs


def load(path: Path) -> Runs:
    """The file as a function.

    Args:
        path: of an ONNX file.
    """
    # The batch stays a symbol: a number for it is refused where the graph has one.
    model = tract.onnx().load(str(path)).into_model()
    names = OnnxFile(path).outputs  # tract names the nodes that give them
    runnable = model.into_runnable()

    def run(images: Array) -> dict[str, Array]:
        return dict(zip(names, [value.to_numpy() for value in runnable.run([images])], strict=True))

    return {"": run}
