#!/usr/bin/env bash
# torch.onnx: an exported `logsigmoid` is -inf from a logit of -18 on, and an exported `logaddexp` is inf from 89 on.
#
# Expected: both exist for not overflowing, and are exported as Softplus or with the maximum taken out.
# Happens: the exporter writes Log(Sigmoid(x)) and Log(Exp(x) + Exp(y)). The sigmoid of ONNX Runtime is exact to 1e-7 of
#   1, and 0 from -18 on: its logarithm is off by 0.6 at -16 already, and -inf at -18. Outputs of an untrained network
#   agree to 1e-6; a confident one gives infinite scores, and a difference of two of them is NaN. `logsumexp` and
#   `softplus` are stable, and -softplus(-x) is logsigmoid(x). Nothing is reported.
# Seen with Python 3.11.7, torch 2.13.0+cpu, onnx 1.23.2, onnxscript 0.7.2, onnxruntime 1.32.0, numpy 2.4.6:
#   x: 2, 16, 20, 110
#   logsigmoid(-x): -2.12693, -16, -20, -110 in torch, -2.12693, -16.6355, -inf, -inf in ONNX Runtime
#   logaddexp(x, x - 1): 2.31326, 16.3133, 20.3133, 110.313 in torch, 2.31326, 16.3133, 20.3133, inf in ONNX Runtime
#   logsumexp: 2.31326, 16.3133, 20.3133, 110.313 in torch, 2.31326, 16.3133, 20.3133, 110.313 in ONNX Runtime
#   -softplus(x): -2.12693, -16, -20, -110 in torch, -2.12693, -16, -20, -110 in ONNX Runtime
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
import onnxruntime
import torch
import torch.nn.functional as F


class Scores(torch.nn.Module):
    def forward(self, x):
        pair = torch.stack([x, x - 1])
        return F.logsigmoid(-x), torch.logaddexp(x, x - 1), torch.logsumexp(pair, 0), -F.softplus(x)


x = torch.tensor([2.0, 16.0, 20.0, 110.0])
model = Scores().eval()
torch.onnx.export(model, (x,), "scores.onnx", dynamo=True, verbose=False, input_names=["x"])
session = onnxruntime.InferenceSession("scores.onnx", providers=["CPUExecutionProvider"])
titles = ("logsigmoid(-x)", "logaddexp(x, x - 1)", "logsumexp", "-softplus(x)")
print("x:", ", ".join(f"{value:g}" for value in x.tolist()))
errors = {}
for title, ours, theirs in zip(titles, model(x), session.run(None, {"x": x.numpy()}), strict=True):
    errors[title] = np.abs(theirs - ours.numpy())
    texts = [", ".join(f"{value:g}" for value in values) for values in (ours.tolist(), theirs)]
    print(f"{title}: {texts[0]} in torch, {texts[1]} in ONNX Runtime")
sigmoid, add = errors["logsigmoid(-x)"], errors["logaddexp(x, x - 1)"]
as_described = (
    sigmoid[0] < 1e-5
    and 0.1 < sigmoid[1] < 2
    and np.isinf(sigmoid[2:]).all()
    and add[:3].max() < 1e-4
    and np.isinf(add[3])
    and max(errors["logsumexp"].max(), errors["-softplus(x)"].max()) < 1e-4
)
sys.exit(not as_described)
PY
