#!/usr/bin/env bash
# torchmetrics: whether predictions are logits is decided anew for each batch.
#
# Expected: a metric of logits, which are "detected by values outside of [0, 1]", is that of all predictions: it does not
#   depend on how they are cut into batches.
# Happens: each batch is looked at alone. One whose logits all happen to lie in [0, 1], as a small or last one does, is taken
#   for probabilities: a logit of 0.3 is a "no" there, and a "yes" beside one of -0.1. Accuracies change with the batch size,
#   and areas under the curve mix logits with probabilities. No warning.
# Seen with Python 3.11.7, torch 2.13.0+cpu, torchmetrics 1.9.0; 2000 logits whose sign is right for 85 %:
#   batches of 2000: accuracy 0.849, area 0.932
#   batches of 100: accuracy 0.849, area 0.932
#   batches of 4: accuracy 0.832, area 0.910
#   batches of 1: accuracy 0.684, area 0.675
#   of probabilities: accuracy 0.849; warnings: 0
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
from torchmetrics.classification import BinaryAccuracy, BinaryAUROC  # noqa: E402

generator = torch.Generator().manual_seed(0)
target = torch.randint(0, 2, (2000,), generator=generator)
logits = 0.4 * (2 * target - 1) + 0.4 * torch.randn(2000, generator=generator)
seen = {}
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    for size in (2000, 100, 4, 1):
        accuracy, area = BinaryAccuracy(), BinaryAUROC()
        for batch, truth in zip(logits.split(size), target.split(size), strict=True):
            accuracy.update(batch, truth)
            area.update(batch, truth)
        seen[size] = float(accuracy.compute()), float(area.compute())
        print(f"batches of {size}: accuracy {seen[size][0]:.3f}, area {seen[size][1]:.3f}")
probabilities = float(BinaryAccuracy()(logits.sigmoid(), target))
print(f"of probabilities: accuracy {probabilities:.3f}; warnings: {len(told)}")
same = abs(seen[2000][0] - probabilities) < 1e-6
sys.exit(not (same and seen[1][0] < seen[2000][0] - 0.1 and seen[1][1] < seen[2000][1] - 0.01 and not told))
PY
