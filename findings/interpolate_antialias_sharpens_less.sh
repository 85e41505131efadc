#!/usr/bin/env bash
# torch: antialias=True changes how bicubic interpolation enlarges an image.
#
# Expected: F.interpolate(mode="bicubic", antialias=True) differs from antialias=False where it makes images smaller;
#   nothing has to be smoothed where it enlarges them, and bilinear interpolation is the same there.
# Happens: the two have different kernels: a = -0.75 without (as OpenCV and grid_sample), a = -0.5 with (as Pillow). An
#   enlarged edge overshoots by half as much again without it, and the inverse of a reduction by one is none of the
#   other.
# Seen with Python 3.11.7, torch 2.13.0+cpu:
#   bilinear, 2 × larger: 0.0000
#   bicubic, 2 × larger: 0.0352; a step overshoots by 0.1055 and by 0.0703
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6; } || exit 2
venv/bin/python - <<'PY'
import sys

import torch
import torch.nn.functional as F

step = (torch.arange(16) >= 8).float().expand(1, 1, 16, 16)


def enlarged(mode, antialias):
    return F.interpolate(step, size=(32, 32), mode=mode, antialias=antialias)


bilinear = (enlarged("bilinear", True) - enlarged("bilinear", False)).abs().max().item()
bicubic = (enlarged("bicubic", True) - enlarged("bicubic", False)).abs().max().item()
over = [enlarged("bicubic", antialias).max().item() - 1 for antialias in (False, True)]
print(f"bilinear, 2 × larger: {bilinear:.4f}")
print(f"bicubic, 2 × larger: {bicubic:.4f}; a step overshoots by {over[0]:.4f} and by {over[1]:.4f}")
sys.exit(not (bilinear < 1e-6 and abs(over[0] / over[1] - 1.5) < 1e-3))
PY
