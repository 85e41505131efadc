#!/usr/bin/env bash
# torchmetrics: the generalized Dice score of an image depends on the image beside it, and 0 is a perfect score.
#
# Expected: the score is a mean over images, so it is the same in batches of any size and order; an image that has no
#   object, and where none is predicted, scores 1 or is left out, as DiceScore does.
# Happens: a class that an image does not have is weighed by the greatest weight in the batch, often that of another class,
#   since a transposed table of weights is read in the wrong order. Alone, its weight is 0. And an image without objects
#   scores 0 if none is predicted: include_background=False gives 0.5 for perfect maps of two images.
# Seen with Python 3.11.7, torch 2.13.0+cpu, torchmetrics 1.9.0; the map of the image has one wrong pixel of 256:
#   alone 0.998, first of two 0.030, last of two 0.990
#   perfect maps: {'DiceScore': 1.0, 'GeneralizedDiceScore': 0.5}
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
from torchmetrics.functional.segmentation import generalized_dice_score  # noqa: E402
from torchmetrics.segmentation import DiceScore, GeneralizedDiceScore  # noqa: E402

target = torch.zeros(2, 16, 16, dtype=torch.long)
target[0, :8] = 1  # no object of class 2
target[1, 0, 0] = 1  # a small object of class 1, and a large one of class 2
target[1, 12:] = 2
predicted = target.clone()
predicted[0, 15, 15] = 2


def score(order):
    """Of image 0 in a batch."""
    scores = generalized_dice_score(predicted[order], target[order], 3, input_format="index", per_class=False)
    return float(scores[order.index(0)])


alone, first, last = score([0]), score([0, 1]), score([1, 0])
print(f"alone {alone:.3f}, first of two {first:.3f}, last of two {last:.3f}")

empty = torch.zeros(2, 8, 8, dtype=torch.long)
empty[0, :4] = 1
perfect = {}
for metric in (DiceScore, GeneralizedDiceScore):
    dice = metric(num_classes=2, include_background=False, input_format="index")
    perfect[metric.__name__] = float(dice(empty, empty))
print(f"perfect maps: {perfect}")
changes = alone > 0.99 and first < 0.1 and 0.98 < last < alone
sys.exit(not (changes and perfect == {"DiceScore": 1.0, "GeneralizedDiceScore": 0.5}))
PY
