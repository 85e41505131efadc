#!/usr/bin/env bash
# torch.onnx: a random mask whose probability is a constant is drawn once, by the exporter, and is part of the file.
#
# Expected: what is random in the graph is random in the file: new numbers in each run. Constant folding leaves random
#   operators alone, as it does for `torch.rand` and `torch.randn`.
# Happens: not Bernoulli and Dropout. `torch.bernoulli` of a buffer, and dropout of a constant mask, are replaced by one
#   draw, and no random operator is left: a sampling network, as for uncertainty by dropout, gives one answer always, and
#   which one depends on the export. With `optimize=False` Bernoulli stays. No warning.
# Seen with Python 3.11.7, torch 2.13.0+cpu, onnx 1.23.2, onnxscript 0.7.2, onnxruntime 1.32.0, numpy 2.4.6; 64 numbers:
#   rand: RandomUniformLike in the file, 4 different results of 4 runs
#   bernoulli of a buffer: none in the file, 1 different results of 4 runs
#   bernoulli of a buffer, optimize=False: Bernoulli in the file
#   dropout of a mask of ones: none in the file, 1 different results of 4 runs
#   dropout of the input: Dropout in the file, 4 different results of 4 runs
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


class Network(torch.nn.Module):
    def __init__(self, function):
        super().__init__()
        self.register_buffer("probability", torch.full((64,), 0.5))
        self.function = function

    def forward(self, x):
        return self.function(self.probability, x)


RANDOM = {"RandomUniformLike", "Bernoulli", "Dropout"}
seen = []
for title, function, options, left, count in (
    ("rand", lambda p, x: x * torch.rand(64), {}, "RandomUniformLike", 4),
    ("bernoulli of a buffer", lambda p, x: x * torch.bernoulli(p), {}, "none", 1),
    ("bernoulli of a buffer, optimize=False", lambda p, x: x * torch.bernoulli(p), {"optimize": False}, "Bernoulli", None),
    ("dropout of a mask of ones", lambda p, x: x * F.dropout(torch.ones(64), 0.5), {}, "none", 1),
    ("dropout of the input", lambda p, x: F.dropout(x, 0.5), {}, "Dropout", 4),
):
    x = torch.ones(64)
    network = Network(function).eval()
    torch.onnx.export(network, (x,), "network.onnx", dynamo=True, verbose=False, input_names=["x"], **options)
    found = ", ".join(sorted({node.op_type for node in onnx.load("network.onnx").graph.node} & RANDOM)) or "none"
    if count is None:
        print(f"{title}: {found} in the file")
        seen.append(found == left)
        continue
    session = onnxruntime.InferenceSession("network.onnx", providers=["CPUExecutionProvider"])
    runs = [session.run(None, {"x": x.numpy()})[0] for _ in range(4)]
    different = len(np.unique(np.stack(runs), axis=0))
    print(f"{title}: {found} in the file, {different} different results of 4 runs")
    seen.append((found, different) == (left, count))
sys.exit(not all(seen))
PY
