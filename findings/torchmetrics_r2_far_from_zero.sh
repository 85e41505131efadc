#!/usr/bin/env bash
# torchmetrics: R2Score of numbers that are far from 0 is any number, above 1 too.
#
# Expected: R² does not change if the same number is added to predictions and targets, as PearsonCorrCoef and
#   MeanSquaredError show, and is 1 at most.
# Happens: the variance of targets is the difference of two large float32 sums, of squares and of the squared sum. For
#   years, or coordinates on a slide of 10,000 pixels, it is mostly rounding: 0.945 or 1.003 for 0.934, and an explained
#   variance of 0. Nothing warns.
# Seen with Python 3.11.7, torch 2.13.0+cpu, torchmetrics 1.9.0; targets of deviation 1, predictions 0.3 off:
#   offset 0: R² 0.9336, explained 0.9336, Pearson 0.9689, squared error 0.0843
#   offset 1000: R² 0.9341, explained 0.9326, Pearson 0.9689, squared error 0.0843
#   offset 2000: R² 0.9451, explained 0.9438, Pearson 0.9689, squared error 0.0843
#   offset 5000: R² 0.9794, explained 0.9789, Pearson 0.9689, squared error 0.0843
#   offset 10000: R² 0.9897, explained 0.0000, Pearson 0.9689, squared error 0.0843
#   offset 20000: R² 1.0026, explained 1.0026, Pearson 0.9689, squared error 0.0843
#   true R² 0.9336
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{
  python3 -m venv venv && venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6 packaging==26.4 &&
    venv/bin/pip install --quiet --no-deps torchmetrics==1.9.0 lightning-utilities==0.15.3
} || exit 2
venv/bin/python - <<'PY'
import sys
import warnings

import torch

warnings.simplefilter("ignore")
from torchmetrics import ExplainedVariance, MeanSquaredError, PearsonCorrCoef, R2Score  # noqa: E402

generator = torch.Generator().manual_seed(0)
shifted = torch.randint(-1024, 1025, (1000,), generator=generator) / 512  # sums with the offsets below are exact
beside = shifted + torch.randint(-256, 257, (1000,), generator=generator) / 512
true = 1 - float(((beside - shifted).double() ** 2).sum() / ((shifted - shifted.double().mean()) ** 2).sum())
seen = {}
for offset in (0, 1000, 2000, 5000, 10000, 20000):
    metrics = R2Score(), ExplainedVariance(), PearsonCorrCoef(), MeanSquaredError()
    for start in range(0, 1000, 100):
        for metric in metrics:
            metric.update(beside[start : start + 100] + offset, shifted[start : start + 100] + offset)
    seen[offset] = [float(metric.compute()) for metric in metrics]
    print("offset {}: R² {:.4f}, explained {:.4f}, Pearson {:.4f}, squared error {:.4f}".format(offset, *seen[offset]))
print(f"true R² {true:.4f}")
steady = all(abs(row[2] - seen[0][2]) < 0.01 and abs(row[3] - seen[0][3]) < 1e-4 for row in seen.values())
right = abs(seen[0][0] - true) < 1e-4
wrong = max(abs(row[0] - true) for row in seen.values()) > 0.05
sys.exit(not (steady and right and wrong))
PY
