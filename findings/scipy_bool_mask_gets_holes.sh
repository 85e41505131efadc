#!/usr/bin/env bash
# SciPy: a boolean mask that is rotated, shifted or zoomed has holes, and by default half of its pixels.
#
# Expected: True where the interpolated value is at least one half, as if it were rounded, or where it is not 0, as
#   NumPy converts floats to bool; at worst an error, because a mask cannot be interpolated by a spline of order 3.
# Happens: True where the value is 1 or more, since its fraction is cut off. Sums of weights are 1 but for rounding
#   errors, and a spline rings around 1, so that the inside of the mask is a matter of chance. Integers are rounded,
#   not cut off: the same mask as uint8 is right.
# Seen with Python 3.11.7, scipy 1.17.1, numpy 2.4.6; the numbers of order 1 differ by a few from run to run:
#   pixels of the mask: 3721
#   rotated with order 3: 1899 of bool, 3725 of uint8; holes 438 of 961
#   rotated with order 1: 3537 of bool, 3721 of uint8; holes 17 of 961
#   rotated with order 0: 3721 of bool, 3721 of uint8; holes 0 of 961
#   shifted by a quarter: [0, 0, 1, 0, 1, 0]
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet scipy==1.17.1 numpy==2.4.6; } || exit 2
venv/bin/python - <<'PY'
import sys

import numpy as np
from scipy import ndimage

mask = np.zeros((101, 101), dtype=bool)
mask[20:81, 20:81] = True
far_inside = np.zeros_like(mask)
far_inside[35:66, 35:66] = True  # stays inside of the square at any angle
print("pixels of the mask:", mask.sum())
seen = []
for order in (3, 1, 0):
    turned = ndimage.rotate(mask, 30, order=order, reshape=False)
    whole = ndimage.rotate(mask.astype(np.uint8), 30, order=order, reshape=False)
    holes = (far_inside & ~turned).sum()
    areas = f"{turned.sum()} of bool, {(whole > 0).sum()} of uint8"
    print(f"rotated with order {order}: {areas}; holes {holes} of {far_inside.sum()}")
    seen.append((turned.sum() < 0.6 * mask.sum(), holes > 0, (far_inside & (whole == 0)).sum()))
print("shifted by a quarter:", ndimage.shift(np.array([0, 1, 1, 1, 1, 0], dtype=bool), 0.25).astype(int).tolist())
sys.exit(seen != [(True, True, 0), (False, True, 0), (False, False, 0)])
PY
