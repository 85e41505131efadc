#!/usr/bin/env bash
# torch: ReduceLROnPlateau never lowers the learning rate of a loss that is negative.
#
# Expected: a loss that stays where it is for more than `patience` epochs lowers the learning rate, whatever its sign.
# Happens: by default an improvement is a loss below best * (1 - 1e-4). For a negative best that is above it: a constant
#   loss improves in every epoch, and so does one that gets slowly worse, and becomes the best. The losses of
#   registration are negative: -NCC, -MI, -Dice; so are log-likelihoods and, with mode="max", many scores. There is no
#   warning, and the run only converges worse. Take threshold_mode="abs", or 1 + loss.
# Seen with Python 3.11.7, torch 2.13.0+cpu; 50 epochs with patience 3, from a learning rate of 1:
#   loss 0.1, constant: learning rate 1e-08
#   loss -0.9, constant: learning rate 1
#   loss from -0.9 to -0.899, worse in every epoch: learning rate 1
#   1 + loss, worse in every epoch: learning rate 1e-08
#   score -0.9, constant, mode="max": learning rate 1
#   loss -0.9, constant, threshold_mode="abs": learning rate 1e-08
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6; } || exit 2
venv/bin/python - <<'PY'
import sys

import torch

constant, worse = [-0.9] * 50, torch.linspace(-0.9, -0.899, 50, dtype=torch.float64).tolist()
seen = []
for title, losses, options, lowered in (
    ("loss 0.1, constant", [0.1] * 50, {}, True),
    ("loss -0.9, constant", constant, {}, False),
    ("loss from -0.9 to -0.899, worse in every epoch", worse, {}, False),
    ("1 + loss, worse in every epoch", [1 + loss for loss in worse], {}, True),
    ('score -0.9, constant, mode="max"', constant, {"mode": "max"}, False),
    ('loss -0.9, constant, threshold_mode="abs"', constant, {"threshold_mode": "abs"}, True),
):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=3, **options)
    for loss in losses:
        scheduler.step(loss)
    rate = optimizer.param_groups[0]["lr"]
    print(f"{title}: learning rate {rate:.3g}")
    seen.append(rate < 1e-3 if lowered else rate == 1.0)
sys.exit(not all(seen))
PY
