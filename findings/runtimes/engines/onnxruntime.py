"""ONNX Runtime on the CPU."""

import onnxruntime

TELLING = None


def load(folder, name):
    """A session of one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(folder / f"{name}.onnx", options, providers=["CPUExecutionProvider"])
    return lambda image: session.run(["logits", "warped"], {"image": image})
