#!/usr/bin/env bash
# torch: a warm-up chained to a LambdaLR is lost, or trains with nearly three times the learning rate.
#
# Expected: `ChainedScheduler` of two schedules multiplies their factors, whatever their order, as it does for a LinearLR
#   and a CosineAnnealingLR, or it refuses schedules that cannot be chained.
# Happens: LambdaLR (and CosineAnnealingWarmRestarts) compute the rate anew from the initial one, LinearLR multiplies the
#   present one. Warm-up first: it has no effect. Warm-up last: its step from 0.1 to 0.325, a factor of 3.25, is applied to
#   a rate that is full already. No warning in either case.
# Seen with Python 3.11.7, torch 2.13.0+cpu; base rate 1, a warm-up from 0.1 over 4 steps, a decay by 0.9 in each step:
#   product of the two: 0.1 0.293 0.446 0.565 0.656 0.59
#   warm-up, ExponentialLR: 0.1 0.293 0.446 0.565 0.656 0.59
#   ExponentialLR, warm-up: 0.1 0.293 0.446 0.565 0.656 0.59
#   warm-up, LambdaLR: 1 0.9 0.81 0.729 0.656 0.59
#   LambdaLR, warm-up: 0.1 2.925 1.371 1.027 0.847 0.59
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6; } || exit 2
venv/bin/python -W ignore - <<'PY'
import sys

import torch
from torch.optim.lr_scheduler import ChainedScheduler, ExponentialLR, LambdaLR, LinearLR


def warm_up(optimizer):
    return LinearLR(optimizer, start_factor=0.1, total_iters=4)


def exponential(optimizer):
    return ExponentialLR(optimizer, 0.9)


def by_lambda(optimizer):
    return LambdaLR(optimizer, lambda step: 0.9**step)


def rates(*parts):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = ChainedScheduler([part(optimizer) for part in parts])
    found = []
    for _ in range(6):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


product = [min(1, 0.1 + 0.225 * step) * 0.9**step for step in range(6)]
seen = {
    "product of the two": product,
    "warm-up, ExponentialLR": rates(warm_up, exponential),
    "ExponentialLR, warm-up": rates(exponential, warm_up),
    "warm-up, LambdaLR": rates(warm_up, by_lambda),
    "LambdaLR, warm-up": rates(by_lambda, warm_up),
}
for name, found in seen.items():
    print(f"{name}: {' '.join(f'{round(rate, 3):g}' for rate in found)}")
close = [all(abs(rate - wanted) < 1e-6 for rate, wanted in zip(found, product)) for found in seen.values()]
first, last = [*seen.values()][3:]
sys.exit(not (close == [True, True, True, False, False] and abs(first[0] - 1) < 1e-6 and abs(last[1] - 2.925) < 1e-6))
PY
