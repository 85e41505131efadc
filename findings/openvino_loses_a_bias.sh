#!/usr/bin/env bash
# OpenVINO: the bias of a fully connected layer is lost where a cast and the addition of a constant follow.
#
# Expected: with float32 asked for, y = Wx + b, a cast to float64 and y − k give Wx + b − k.
# Happens: they give Wx − k. So do a cast to float16, and an addition. With a cast to float32, or a product in place of the
#   difference, the result is right. There is no message.
# Seen with Python 3.11.7, openvino 2026.4.1, onnx 1.23.2, numpy 2.4.6; b is (10, 20, 30):
#   Cast to DOUBLE, Sub:  wrong by [-10. -20. -30.]
#   Cast to DOUBLE, Add:  wrong by [-10. -20. -30.]
#   Cast to FLOAT16, Sub: wrong by [-10. -20. -30.]
#   Cast to DOUBLE, Mul:  wrong by [0. 0. 0.]
#   Cast to FLOAT, Sub:   wrong by [0. 0. 0.]
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet openvino==2026.4.1 onnx==1.23.2 numpy==2.4.6; } || exit 2
venv/bin/python - <<'PY'
import sys

import numpy as np
import openvino
from onnx import TensorProto, helper, numpy_helper

X = np.arange(8, dtype="f4").reshape(2, 4)
W = np.eye(4, 3, dtype="f4")
B = np.array([10, 20, 30], "f4")
K = np.array([1, 2, 4])
DTYPES = {"DOUBLE": "f8", "FLOAT16": "f2", "FLOAT": "f4"}
RIGHT = {"Sub": X @ W + B - K, "Add": X @ W + B + K, "Mul": (X @ W + B) * K}


def error(cast, operator):
    nodes = [
        helper.make_node("Gemm", ["x", "w", "b"], ["y"]),
        helper.make_node("Cast", ["y"], ["wide"], to=getattr(TensorProto, cast)),
        helper.make_node(operator, ["wide", "k"], ["sum"]),
        helper.make_node("Cast", ["sum"], ["z"], to=TensorProto.FLOAT),
    ]
    constants = {"w": W, "b": B, "k": K.astype(DTYPES[cast])}
    graph = helper.make_graph(
        nodes,
        "layer",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, ["n", 3])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    core = openvino.Core()
    read = core.read_model(model.SerializeToString())
    compiled = core.compile_model(read, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return (compiled(X)[0] - RIGHT[operator])[0]


wrong = [("DOUBLE", "Sub"), ("DOUBLE", "Add"), ("FLOAT16", "Sub")]
errors = {case: error(*case) for case in [*wrong, ("DOUBLE", "Mul"), ("FLOAT", "Sub")]}
for (cast, operator), found in errors.items():
    print(f"Cast to {cast}, {operator}: wrong by {found}")
lost = all(np.allclose(errors[case], -B) for case in wrong)
sys.exit(not (lost and all(np.allclose(errors[case], 0) for case in [*errors][3:])))
PY
