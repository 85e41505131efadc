#!/usr/bin/env bash
# ONNX Runtime: GridSample reads a coordinate that is NaN as the edge of the image.
#
# Expected: NaN, as torch gives and the arithmetic of the operator's definition does; or the value of the padding, zeros.
# Happens: NaN and ±infinity are read at −1, the edge, in every mode: with zeros half of the first pixel. So a network
#   whose theta is NaN gives a plausible image. And linear with border gives 0, not the edge, for coordinates of 1e10.
# Seen with Python 3.11.7, onnxruntime 1.32.0, torch 2.13.0+cpu, onnx 1.23.2, numpy 2.4.6; the row 25 … 32 at
# x = NaN, infinity, −infinity, 1e10:
#   linear zeros:  onnxruntime [12.5 12.5 12.5  0. ], torch [nan nan nan  0.]
#   cubic border:  onnxruntime [24.90625 24.90625 24.90625 32.     ], torch [nan nan nan 32.]
#   linear border: onnxruntime [25. 25. 25.  0.], torch [25. 32. 25. 32.]
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

ROW = np.arange(25, 33, dtype="f4").reshape(1, 1, 1, 8)
GRID = np.zeros((1, 1, 4, 2), "f4")
GRID[0, 0, :, 0] = [np.nan, np.inf, -np.inf, 1e10]


def read(mode, padding):
    graph = helper.make_graph(
        [helper.make_node("GridSample", ["row", "grid"], ["read"], mode=mode, padding_mode=padding)],
        "read",
        [
            helper.make_tensor_value_info("row", TensorProto.FLOAT, ROW.shape),
            helper.make_tensor_value_info("grid", TensorProto.FLOAT, GRID.shape),
        ],
        [helper.make_tensor_value_info("read", TensorProto.FLOAT, [1, 1, 1, 4])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    in_torch = F.grid_sample(
        torch.from_numpy(ROW), torch.from_numpy(GRID), f"bi{mode}", padding, align_corners=False
    )
    return session.run(None, {"row": ROW, "grid": GRID})[0].ravel(), in_torch.numpy().ravel()


found = {case: read(*case) for case in (("linear", "zeros"), ("cubic", "border"), ("linear", "border"))}
for (mode, padding), (runtime, in_torch) in found.items():
    print(f"{mode} {padding}: onnxruntime {runtime}, torch {in_torch}")
hidden = [np.isfinite(runtime).all() and np.isnan(in_torch[:3]).all() for runtime, in_torch in [*found.values()][:2]]
runtime, in_torch = found["linear", "border"]
sys.exit(not (all(hidden) and runtime[3] == 0 and in_torch[3] == 32))
PY
