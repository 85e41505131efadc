#!/usr/bin/env bash
# ONNX: with nearest and reflection, a point half way between two pixels outside of the image is another one than in torch.
#
# Expected: torch.onnx maps grid_sample to GridSample, mode by mode, and the results are equal.
# Happens: torch folds the point into the image and then rounds it to the even pixel; ONNX Runtime rounds first. Half of
#   the ties outside of the image are one pixel apart. Flips and integer zooms hit ties all the time.
# Seen with Python 3.11.7, onnxruntime 1.32.0, torch 2.13.0+cpu, onnx 1.23.2, numpy 2.4.6; the row 0 … 7:
#   at          [-2.5 -1.5 -0.5  0.5  7.5  8.5  9.5]
#   torch       [2. 0. 0. 0. 7. 6. 6.]
#   onnxruntime [1. 1. 0. 0. 7. 7. 5.]
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet onnxruntime==1.32.0 torch==2.13.0 onnx==1.23.2 numpy==2.4.6; } || exit 2
venv/bin/python - <<'PY'
import sys

import numpy as np
import onnxruntime
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper

ROW = np.arange(8, dtype="f4").reshape(1, 1, 1, 8)
AT = np.array([-2.5, -1.5, -0.5, 0.5, 7.5, 8.5, 9.5], "f4")
GRID = np.zeros((1, 1, len(AT), 2), "f4")
GRID[0, 0, :, 0] = (2 * AT + 1) / 8 - 1
graph = helper.make_graph(
    [helper.make_node("GridSample", ["row", "grid"], ["read"], mode="nearest", padding_mode="reflection")],
    "read",
    [
        helper.make_tensor_value_info("row", TensorProto.FLOAT, ROW.shape),
        helper.make_tensor_value_info("grid", TensorProto.FLOAT, GRID.shape),
    ],
    [helper.make_tensor_value_info("read", TensorProto.FLOAT, [1, 1, 1, len(AT)])],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
runtime = session.run(None, {"row": ROW, "grid": GRID})[0].ravel()
in_torch = F.grid_sample(
    torch.from_numpy(ROW), torch.from_numpy(GRID), "nearest", "reflection", align_corners=False
).numpy().ravel()
print("at         ", AT)
print("torch      ", in_torch)
print("onnxruntime", runtime)
outside = (AT < -0.5) | (AT > 7.5)
inside_equal = (runtime == in_torch)[~outside].all()
sys.exit(not (inside_equal and (np.abs(runtime - in_torch)[outside] == 1).any()))
PY
