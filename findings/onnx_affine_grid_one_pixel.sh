#!/usr/bin/env bash
# ONNX: AffineGrid of one row or column with align_corners=1 is at an edge of the image, that of torch in its middle.
#
# Expected: `F.affine_grid` and the operator AffineGrid that it is exported to give the same grid of each size. The one
#   pixel of an axis is in its middle.
# Happens: torch puts it at 0. In ONNX Runtime it is at 1, the last pixel, and in ONNX's reference evaluator at -1, the first:
#   a column through the middle of an image, as of a profile, is its right or its left border instead. All other sizes
#   agree, and so does align_corners=0. The file is written by `torch.onnx.export(dynamo=False)` with opset 20; with
#   `dynamo=True` the export of this size fails.
# Seen with Python 3.11.7, torch 2.13.0+cpu, onnx 1.23.2, onnxruntime 1.32.0, numpy 2.4.6; x of the identity:
#   1 column, align_corners=1: torch [0.0], ONNX Runtime [1.0], reference evaluator [-1.0]
#   2 columns, align_corners=1: torch [-1.0, 1.0], ONNX Runtime [-1.0, 1.0], reference evaluator [-1.0, 1.0]
#   1 column, align_corners=0: torch [0.0], ONNX Runtime [0.0], reference evaluator [0.0]
#   a column of an 8x8 image whose pixels are their x: 3.5 in torch, 7 in its ONNX file
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{
  python3 -m venv venv &&
    venv/bin/pip install --quiet torch==2.13.0 onnx==1.23.2 onnxscript==0.7.2 onnxruntime==1.32.0 numpy==2.4.6
} || exit 2
venv/bin/python -W ignore - <<'PY'
import sys

import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

theta = torch.eye(2, 3)[None]


def session(model):
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def grids(columns, align_corners):
    size = [1, 1, 2, columns]
    graph = helper.make_graph(
        [helper.make_node("AffineGrid", ["theta", "size"], ["grid"], align_corners=align_corners)],
        "graph",
        [helper.make_tensor_value_info("theta", TensorProto.FLOAT, [1, 2, 3])],
        [helper.make_tensor_value_info("grid", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.array(size), "size")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    yield F.affine_grid(theta, size, align_corners=bool(align_corners)).numpy()
    yield session(model).run(None, {"theta": theta.numpy()})[0]
    yield ReferenceEvaluator(model).run(None, {"theta": theta.numpy()})[0]


class Column(torch.nn.Module):
    def forward(self, image, theta):
        return F.grid_sample(image, F.affine_grid(theta, [1, 1, 8, 1], align_corners=True), align_corners=True)


seen = []
for columns, align_corners, expected in ((1, 1, None), (2, 1, [-1, 1]), (1, 0, [0])):
    ours, theirs, reference = (grid[0, 0, :, 0] for grid in grids(columns, align_corners))
    print(
        f"{columns} column{'s' * (columns > 1)}, align_corners={align_corners}: torch {ours.tolist()}, "
        f"ONNX Runtime {theirs.tolist()}, reference evaluator {reference.tolist()}"
    )
    rows = ([0], [1], [-1]) if expected is None else (expected,) * 3
    seen += [np.allclose(row, grid, atol=1e-6) for row, grid in zip(rows, (ours, theirs, reference), strict=True)]
image = torch.arange(8.0).expand(1, 1, 8, 8).contiguous()
torch.onnx.export(Column(), (image, theta), "c.onnx", dynamo=False, opset_version=20, input_names=["image", "theta"])
ours = Column()(image, theta)[0, 0, 4, 0].item()
theirs = session(onnx.load("c.onnx")).run(None, {"image": image.numpy(), "theta": theta.numpy()})[0][0, 0, 4, 0]
print(f"a column of an 8x8 image whose pixels are their x: {ours:.3g} in torch, {theirs:.3g} in its ONNX file")
sys.exit(not (all(seen) and abs(ours - 3.5) < 1e-3 and abs(theirs - 7) < 1e-3))
PY
