#!/usr/bin/env bash
# PyTorch: an antialiased `interpolate` to a width of one pixel repeats its first row, on the CPU.
#
# Expected: the axes are resized one after the other, so that a column is resized as the same row is.
# Happens: where the output is one pixel wide and the height changes, all output rows are the first one. An output one
#   pixel high is right, and so is one of two columns, or in the channels-last format with several channels.
# Seen with Python 3.11.7, torch 2.13.0+cpu, bilinear (bicubic does the same):
#   a ramp of 16 to 8 rows, two columns wide: 0.71 2.50 4.50 6.50 8.50 10.50 12.50 14.29
#   the same, one column wide: 0.71 0.71 0.71 0.71 0.71 0.71 0.71 0.71
#   the same as a row: 0.71 2.50 4.50 6.50 8.50 10.50 12.50 14.29
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6; } || exit 2
venv/bin/python - <<'PY'
import sys

import torch
from torch.nn.functional import interpolate

ramp = torch.arange(16.0).view(1, 1, 16, 1)


def resized(image, size):
    return interpolate(image, size, mode="bilinear", antialias=True)


two = resized(ramp.expand(1, 1, 16, 2).contiguous(), (8, 2))[0, 0, :, 0]
one = resized(ramp, (8, 1))[0, 0, :, 0]
row = resized(ramp.mT.contiguous(), (1, 8))[0, 0, 0]
print("a ramp of 16 to 8 rows, two columns wide:", *(f"{value:.2f}" for value in two.tolist()))
print("the same, one column wide:", *(f"{value:.2f}" for value in one.tolist()))
print("the same as a row:", *(f"{value:.2f}" for value in row.tolist()))
sys.exit(not (torch.allclose(two, row) and bool((one == two[0]).all())))
PY
