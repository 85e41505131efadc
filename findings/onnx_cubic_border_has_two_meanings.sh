#!/usr/bin/env bash
# ONNX: a cubic GridSample with border has two meanings, and the reference evaluator's is not continuous.
#
# Expected: one meaning; a point beyond the edge is clamped to it, or each of the four taps is.
# Happens: ONNX Runtime (and torch, OpenVINO) clamp each tap, which is continuous. ONNX's own ReferenceEvaluator and tract
#   do that up to half a pixel beyond the edge, and from there on give the edge pixel itself: at a step the value jumps by
#   9 % of the contrast.
# Seen with Python 3.11.7, onnx 1.23.2, onnxruntime 1.32.0, tract 0.23.9, numpy 2.4.6; the row 0 1 0 0, read at
# 0.499 and 0.501 pixels before the first center:
#   onnxruntime:        -0.0939 -0.0936
#   ReferenceEvaluator: -0.0939 0.0000
#   tract:              -0.0939 0.0000
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet onnx==1.23.2 onnxruntime==1.32.0 tract==0.23.9 numpy==2.4.6; } || exit 2
venv/bin/python - <<'PY'
import sys

import numpy as np
import onnx
import onnxruntime
import tract
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

ROW = np.array([0, 1, 0, 0], "f4").reshape(1, 1, 1, 4)
GRID = np.zeros((1, 1, 2, 2), "f4")
GRID[0, 0, :, 0] = (2 * np.array([-0.499, -0.501]) + 1) / 4 - 1
graph = helper.make_graph(
    [helper.make_node("GridSample", ["row", "grid"], ["read"], mode="cubic", padding_mode="border")],
    "read",
    [
        helper.make_tensor_value_info("row", TensorProto.FLOAT, ROW.shape),
        helper.make_tensor_value_info("grid", TensorProto.FLOAT, GRID.shape),
    ],
    [helper.make_tensor_value_info("read", TensorProto.FLOAT, [1, 1, 1, 2])],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
onnx.save(model, "read.onnx")
given = {"row": ROW, "grid": GRID}
session = onnxruntime.InferenceSession("read.onnx", providers=["CPUExecutionProvider"])
runnable = tract.onnx().load("read.onnx").into_model().into_runnable()
found = {
    "onnxruntime": session.run(None, given)[0],
    "ReferenceEvaluator": ReferenceEvaluator(model).run(None, given)[0],
    "tract": runnable.run([ROW, GRID])[0].to_numpy(),
}
jumps = {}
for name, read in found.items():
    before, behind = read.ravel()
    jumps[name] = abs(float(before - behind))
    print(f"{name}: {before:.4f} {behind:.4f}")
sys.exit(not (jumps["onnxruntime"] < 1e-3 and min(jumps["ReferenceEvaluator"], jumps["tract"]) > 0.09))
PY
