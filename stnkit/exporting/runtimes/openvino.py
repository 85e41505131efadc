"""OpenVINO on the CPU: asked to compute in float32, and as it is by default, which is bfloat16 where there is any."""

from pathlib import Path
from typing import Any

import openvino

from stnkit.exporting.arrays import Array, Run
from stnkit.exporting.runtimes import Runs


def load(path: Path) -> Runs:
    """The file as a function, by setting.

    Args:
        path: of an ONNX file.
    """
    core = openvino.Core()
    model = core.read_model(path)
    settings: dict[str, dict[str, str]] = {"": {"INFERENCE_PRECISION_HINT": "f32"}, "default precision": {}}
    return {name: _run(core.compile_model(model, "CPU", setting)) for name, setting in settings.items()}


def _run(compiled: Any) -> Run:
    def run(images: Array) -> dict[str, Array]:
        return {output.get_any_name(): value for output, value in compiled([images]).items()}

    return run
