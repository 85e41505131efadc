#!/usr/bin/env bash
# ONNX Runtime: on a CPU a float16 network is computed in float32, so that a check there finds no error of float16.
#
# Expected: each result of a float16 graph is rounded to float16, wherever it runs: what overflows on a GPU overflows in
#   a check on the CPU too, and coordinates are as coarse.
# Happens: casts to float32 are put before the operators without a float16 kernel, which are nearly all, and the pairs of
#   casts between two of them are removed. Only inputs, weights and outputs are float16. A product that is beyond 65504 is
#   fine, and a pixel coordinate keeps a fraction that float16 does not have. No option for optimizations changes it.
# Seen with Python 3.11.7, onnx 1.23.2, onnxruntime 1.32.0, numpy 2.4.6; x in float16 as all of the graph:
#   x * 300 / 300 of x = 300: inf in numpy, inf in ONNX's reference evaluator, 300 in ONNX Runtime
#   x + 2000.0 - 2000.0 of x = 0.3: 0 in numpy, 0 in ONNX's reference evaluator, 0.3 in ONNX Runtime
#   without optimizations: 300, 0.3
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6; } || exit 2
venv/bin/python -W ignore - <<'PY'
import sys

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator


def model(first, second, number):
    value = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT16, [1]) for name in "xy"}
    nodes = [helper.make_node(first, ["x", "c"], ["between"]), helper.make_node(second, ["between", "c"], ["y"])]
    constant = numpy_helper.from_array(np.array([number], np.float16), "c")
    graph = helper.make_graph(nodes, "graph", [value["x"]], [value["y"]], [constant])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


def run(graph, x, level):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    session = onnxruntime.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return float(session.run(None, {"x": x})[0][0])


levels = onnxruntime.GraphOptimizationLevel
seen, plain = [], []
for title, first, second, number, start, rounded, kept in (
    ("x * 300 / 300 of x = 300", "Mul", "Div", 300, 300, np.inf, 300),
    ("x + 2000.0 - 2000.0 of x = 0.3", "Add", "Sub", 2000, 0.3, 0.0, 0.3),
):
    x, c = np.array([start], np.float16), np.array([number], np.float16)
    graph = model(first, second, number)
    with np.errstate(over="ignore"):
        by_numpy = float((x * c / c if first == "Mul" else x + c - c)[0])
        reference = float(ReferenceEvaluator(graph).run(None, {"x": x})[0][0])
    ours = run(graph, x, levels.ORT_ENABLE_ALL)
    plain.append(run(graph, x, levels.ORT_DISABLE_ALL))
    print(f"{title}: {by_numpy:.4g} in numpy, {reference:.4g} in ONNX's reference evaluator, {ours:.4g} in ONNX Runtime")
    seen.append(by_numpy == reference == rounded and abs(ours - kept) < 1e-3 and plain[-1] == ours)
print("without optimizations:", ", ".join(f"{value:.4g}" for value in plain))
sys.exit(not all(seen))
PY
