#!/usr/bin/env bash
# ONNX: RoiAlign with mode="max" of an image of ones is less than one.
#
# Expected: the largest of the bilinear samples in each bin, as the text of the operator says: of ones, 1.
# Happens: ONNX Runtime and the reference evaluator of onnx both take the largest of the four products of a pixel and its
#   weight, never their sum: of ones they give 0.33 to 0.75, by the fractions of the box. They agree, so that comparing one
#   with the other shows nothing. ONNX Runtime logs a warning that announces a correction for its release 1.13. mode="avg" is
#   right.
# Seen with Python 3.11.7, onnx 1.23.2, onnxruntime 1.32.0, numpy 2.4.6; a box from (1.3, 1.6) to (6.1, 5.2), 2 × 2 bins of
#   2 × 2 samples, opset 16:
#   avg of ones, ONNX Runtime: [1.0, 1.0, 1.0, 1.0]
#   avg of ones, reference evaluator: [1.0, 1.0, 1.0, 1.0]
#   max of ones, ONNX Runtime: [0.33, 0.55, 0.45, 0.75]
#   max of ones, reference evaluator: [0.33, 0.55, 0.45, 0.75]
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{
  python3 -m venv venv && venv/bin/pip install --quiet onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
} || exit 2
venv/bin/python - <<'PY'
import sys

import numpy as np
import onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

onnxruntime.set_default_logger_severity(3)


def model(mode):
    node = helper.make_node(
        "RoiAlign", ["image", "boxes", "batch"], ["out"], mode=mode, output_height=2, output_width=2, sampling_ratio=2
    )
    inputs = [("image", TensorProto.FLOAT, [1, 1, 8, 8]), ("boxes", TensorProto.FLOAT, [1, 4])]
    inputs.append(("batch", TensorProto.INT64, [1]))
    inputs = [helper.make_tensor_value_info(*each) for each in inputs]
    output = helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 1, 2, 2])
    graph = helper.make_graph([node], "roi", inputs, [output])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 16)], ir_version=8)


values = {
    "image": np.ones((1, 1, 8, 8), np.float32),
    "boxes": np.array([[1.3, 1.6, 6.1, 5.2]], np.float32),
    "batch": np.zeros(1, np.int64),
}
found = {}
for mode in ("avg", "max"):
    built = model(mode)
    session = onnxruntime.InferenceSession(built.SerializeToString())
    for name, run in (("ONNX Runtime", session), ("reference evaluator", ReferenceEvaluator(built))):
        out = run.run(None, values)[0].ravel()
        found[mode, name] = out
        print(f"{mode} of ones, {name}: {[round(float(value), 2) for value in out]}")
as_seen = all(np.allclose(out, 1) if mode == "avg" else out.max() < 0.8 for (mode, _), out in found.items())
sys.exit(not as_seen)
PY
