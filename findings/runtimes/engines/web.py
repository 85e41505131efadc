"""onnxruntime-web: the wasm build, in node."""

import os
import subprocess

import numpy as np
from nets import BATCHES

TELLING = None


def load(folder, name):
    """Run all batches in one process, which takes longer to start than to compute."""
    reference = np.load(folder / f"{name}.npz")
    given = [folder / f"web_{batch}.f32" for batch in BATCHES]
    for path, batch in zip(given, BATCHES, strict=True):
        reference[f"image_{batch}"].astype("<f4").tofile(path)
    sizes = ",".join(map(str, reference["image_1"].shape[1:]))
    command = ["node", "web.mjs", os.environ["ONNXRUNTIME_WEB"], folder / f"{name}.onnx", sizes, *given]
    process = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=200)
    if process.returncode:
        raise RuntimeError(next((line for line in process.stderr.splitlines() if "rror" in line), "no output"))

    def run(image):
        values, outputs = np.fromfile(folder / f"web_{len(image)}.f32.out", "<f4"), []
        for output in ("logits", "warped"):
            expected = reference[f"{output}_{len(image)}"]
            outputs.append(values[: expected.size].reshape(expected.shape))
            values = values[expected.size :]
        return outputs

    return run
