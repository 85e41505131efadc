"""OpenVINO on the CPU, in float32."""

import openvino

TELLING = r"GridSample is only[^\n]*|Unsupported padding mode[^\n]*"
HINTS = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}


def load(folder, name, hints=HINTS):
    """The compiled model."""
    compiled = openvino.Core().compile_model(str(folder / f"{name}.onnx"), "CPU", hints)
    return lambda image: [compiled(image)[output] for output in ("logits", "warped")]
