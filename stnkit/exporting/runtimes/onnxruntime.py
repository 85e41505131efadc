"""ONNX Runtime, on the CPU."""

import os
from pathlib import Path

# Its wheel for Linux keeps an identifier of the machine in the home folder, and events that it sends
# (findings/onnxruntime_keeps_a_device_id.sh). It reads this once, while it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime

from stnkit.exporting.arrays import Array
from stnkit.exporting.runtimes import Runs


def load(path: Path) -> Runs:
    """The file as a function.

    Args:
        path: of an ONNX file.
    """
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    (image,) = session.get_inputs()

    def run(images: Array) -> dict[str, Array]:
        return dict(zip(names, session.run(names, {image.name: images}), strict=True))

    return {"": run}
