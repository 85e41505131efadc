#!/usr/bin/env bash
# torchmetrics: Accuracy and MulticlassAccuracy are two numbers, and neither macro accuracy is the balanced one.
#
# Expected: MulticlassAccuracy is what Accuracy(task="multiclass") makes, so both give the share of right predictions. With
#   average="macro" it is the mean recall of the classes that occur, scikit-learn's balanced accuracy.
# Happens: one is "micro" by default and the other is "macro", also as functions. A macro average leaves out classes that
#   neither occur nor are predicted; one that does not occur, but is predicted once, counts as an accuracy of 0.
# Seen with Python 3.11.7, torch 2.13.0+cpu, torchmetrics 1.9.0; 99 of 100 right, the other one is taken for class 2:
#   all right: Accuracy 1.00, MulticlassAccuracy 1.00, balanced 1.00
#   one in class 2: Accuracy 0.99, MulticlassAccuracy 0.66, balanced 0.99
#   one in the other class: Accuracy 0.99, MulticlassAccuracy 0.99, balanced 0.99
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
from torchmetrics import Accuracy  # noqa: E402
from torchmetrics.classification import MulticlassAccuracy  # noqa: E402

target = torch.arange(100) % 2
predicted = target.clone()
seen = {}
for title, wrong in (("all right", None), ("one in class 2", 2), ("one in the other class", 1)):
    predicted[0] = target[0] if wrong is None else wrong
    recalls = [float((predicted[target == label] == label).float().mean()) for label in target.unique()]
    seen[title] = (
        float(Accuracy(task="multiclass", num_classes=10)(predicted, target)),
        float(MulticlassAccuracy(num_classes=10)(predicted, target)),
        sum(recalls) / len(recalls),
    )
    print("{}: Accuracy {:.2f}, MulticlassAccuracy {:.2f}, balanced {:.2f}".format(title, *seen[title]))
expected = {"all right": (1, 1, 1), "one in class 2": (0.99, 0.66, 0.99), "one in the other class": (0.99, 0.99, 0.99)}
sys.exit(not all(abs(a - b) < 1e-3 for title in seen for a, b in zip(seen[title], expected[title], strict=True)))
PY
