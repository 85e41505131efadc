#!/usr/bin/env bash
# MNN: a GridSample with reflection is converted to one with border, and a cubic one to a linear one.
#
# Expected: a mode that the runtime does not have is refused by the converter, as an operator that it does not have is.
# Happens: "Converted Success!", and the results are those of another mode: reflection becomes border, cubic becomes
#   linear. The converter prints "Don't support mode cubic" in between, as it does for linear, which is right.
# Seen with Python 3.11.7, MNN 3.6.1, onnxruntime 1.32.0, onnx 1.23.2, numpy 2.4.6; values in [0, 1]:
#   linear reflection: off by 0.32, and by 0.00 from linear border
#   nearest reflection: off by 0.59, and by 0.00 from nearest border
#   cubic zeros: off by 0.13, and by 0.00 from linear zeros
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet MNN==3.6.1 onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6; } || exit 2
venv/bin/python - <<'PY'
import sys

import _tools  # the converter itself: its console script mnnconvert installs a package that reports its use
import MNN.expr
import MNN.nn
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

draws = np.random.default_rng(0)
IMAGE = draws.random((1, 1, 6, 8)).astype("f4")
GRID = draws.uniform(-1.4, 1.4, (1, 9, 9, 2)).astype("f4")


def model(mode, padding):
    graph = helper.make_graph(
        [helper.make_node("GridSample", ["image", "grid"], ["read"], mode=mode, padding_mode=padding)],
        "read",
        [
            helper.make_tensor_value_info("image", TensorProto.FLOAT, IMAGE.shape),
            helper.make_tensor_value_info("grid", TensorProto.FLOAT, GRID.shape),
        ],
        [helper.make_tensor_value_info("read", TensorProto.FLOAT, [1, 1, 9, 9])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def right(mode, padding):
    session = onnxruntime.InferenceSession(
        model(mode, padding).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"image": IMAGE, "grid": GRID})[0]


def in_mnn(mode, padding):
    onnx.save(model(mode, padding), "read.onnx")
    _tools.mnnconvert(["", "-f", "ONNX", "--modelFile", "read.onnx", "--MNNModel", "read.mnn", "--bizCode", "read"])
    module = MNN.nn.load_module_from_file("read.mnn", ["image", "grid"], ["read"])
    given = [MNN.expr.const(array, list(array.shape), MNN.expr.NCHW) for array in (IMAGE, GRID)]
    return np.array(MNN.expr.convert(module.forward(given)[0], MNN.expr.NCHW).read())


CASES = {
    ("linear", "reflection"): ("linear", "border"),
    ("nearest", "reflection"): ("nearest", "border"),
    ("cubic", "zeros"): ("linear", "zeros"),
}
lines, seen = [], []
for asked, other in CASES.items():
    read = in_mnn(*asked)
    off, same = (float(np.abs(read - right(*case)).max()) for case in (asked, other))
    lines.append(f"{' '.join(asked)}: off by {off:.2f}, and by {same:.2f} from {' '.join(other)}")
    seen.append(off > 0.1 and same < 1e-5)
print(*lines, sep="\n", flush=True)
sys.exit(not all(seen))
PY
