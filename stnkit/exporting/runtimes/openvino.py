"""OpenVINO on the CPU: asked to compute in float32, and as it is by default, which is bfloat16 where there is any."""

from pathlib import Path
from typing import Any

import openvino

from stnkit.exporting.arrays import Array, Run
from stnkit.exporting.onnx_file import OnnxFile
from stnkit.exporting.runtimes import Runs


def load(path: Path) -> Runs:
    """The file as a function, by setting.

    Args:
        path: of an ONNX file.
    """
    core = openvino.Core()
    model = core.read_model(path)
    settings: dict[str, dict[str, str]] = {"": {"INFERENCE_PRECISION_HINT": "f32"}, "default": {}}
    names = OnnxFile(path).outputs  # OpenVINO gives a tensor several names
    return {name: _run(core.compile_model(model, "CPU", setting), names) for name, setting in settings.items()}


def _run(compiled: Any, names: list[str]) -> Run:
    def run(images: Array) -> dict[str, Array]:
        return dict(zip(names, compiled([images]).values(), strict=True))

    return run
