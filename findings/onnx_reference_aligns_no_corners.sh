#!/usr/bin/env bash
# ONNX: the reference evaluator's Resize with align_corners leaves the corner where scales give no whole size.
#
# Expected: onnx.reference is the measure for runtimes. With coordinate_transformation_mode="align_corners" the last
#   pixel of the result lies on the last pixel of the image, whatever the scale.
# Happens: it divides by the size before it is rounded down, (scale · length - 1), so the last pixel falls short of the
#   corner by up to a seventh of the image here; onnxruntime and torch are right. With "half_pixel_symmetric" the first
#   pixel is wrong too. With `sizes` in place of `scales` all agree, so a test with sizes, or with a scale of 2, shows
#   nothing.
# Seen with Python 3.11.7, onnx 1.23.2, onnxruntime 1.32.0, numpy 2.4.6; a row of pixels 0 to 8:
#   align_corners, scale 0.5: 4 pixels, the first is 0.00, onnxruntime 0.00; the last is 6.86, onnxruntime 8.00
#   align_corners, scale 1.7: 15 pixels, the first is 0.00, onnxruntime 0.00; the last is 7.83, onnxruntime 8.00
#   align_corners, scale 2: 18 pixels, the first is 0.00, onnxruntime 0.00; the last is 8.00, onnxruntime 8.00
#   align_corners, size 4: 4 pixels, the first is 0.00, onnxruntime 0.00; the last is 8.00, onnxruntime 8.00
#   half_pixel_symmetric, scale 0.5: 4 pixels, the first is 0.00, onnxruntime 1.00; the last is 7.00, onnxruntime 7.00
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6; } || exit 2
venv/bin/python - <<'PY'
import sys

import numpy as np
import onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

row = np.arange(9, dtype=np.float32)[None, None]


def resized(mode, scale=None, size=None):
    inputs, constant = ["x", "", "scales"], helper.make_tensor("scales", TensorProto.FLOAT, [3], [1, 1, scale or 1])
    if size:
        inputs, constant = ["x", "", "", "sizes"], helper.make_tensor("sizes", TensorProto.INT64, [3], [1, 1, size])
    node = helper.make_node("Resize", inputs, ["y"], mode="linear", coordinate_transformation_mode=mode)
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1, None]) for name in "xy"]
    graph = helper.make_graph([node], "resize", ends[:1], ends[1:], [constant])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    runtime = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return [it.run(None, {"x": row})[0][0, 0] for it in (ReferenceEvaluator(model), runtime)]


seen = []
for name, options in (
    ("align_corners, scale 0.5", {"mode": "align_corners", "scale": 0.5}),
    ("align_corners, scale 1.7", {"mode": "align_corners", "scale": 1.7}),
    ("align_corners, scale 2", {"mode": "align_corners", "scale": 2.0}),
    ("align_corners, size 4", {"mode": "align_corners", "size": 4}),
    ("half_pixel_symmetric, scale 0.5", {"mode": "half_pixel_symmetric", "scale": 0.5}),
):
    reference, runtime = resized(**options)
    first, last = (f"{reference[end]:.2f}, onnxruntime {runtime[end]:.2f}" for end in (0, -1))
    print(f"{name}: {len(runtime)} pixels, the first is {first}; the last is {last}")
    seen.append(float(np.abs(reference - runtime).max()))
short = resized("align_corners", 0.5)
corner = abs(short[1][-1] - 8) < 1e-5 and short[0][-1] < 7.5
sys.exit(not (corner and seen[0] > 0.5 and seen[1] > 0.1 and max(seen[2:4]) < 1e-5 and seen[4] > 0.5))
PY
