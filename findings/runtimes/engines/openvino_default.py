"""OpenVINO on the CPU, in the precision that it chooses: bfloat16 where the CPU has it."""

from engines import openvino

TELLING = openvino.TELLING


def load(folder, name):
    """The model, compiled without a hint."""
    return openvino.load(folder, name, {"INFERENCE_NUM_THREADS": 1})
