#!/usr/bin/env bash
# pyresample: bilinear resampling between two areas of one projection is wrong for a third of the pixels.
#
# Expected: between two areas whose axes are parallel, NumpyBilinearResampler weighs the four pixels around each point as any
#   bilinear interpolation does, and resampling an area onto itself gives the image.
# Happens: for a third of the pixels of a UTM area the four pixels are the right ones, but the weight along x is lost: one
#   column is read alone, so that they are up to a pixel beside their place, in an irregular pattern. Where points fall on
#   pixels, as onto the area itself, five of six are wrong, by almost the whole contrast. Nothing is masked; all there is are
#   RuntimeWarnings of NumPy about a root and a division, which the script hides.
# Seen with Python 3.11.7, pyresample 1.35.0, pyproj 3.7.2, numpy 2.4.6; noise from 0 to 1 on 20 × 30 pixels of 1 km, the
#   outermost three left out:
#   shifted by 0.00 pixel: wrong by more than 0.01 at 83% of the pixels, by up to 0.89; 10% of these are read in one column
#   shifted by 0.25 pixel: wrong by more than 0.01 at 37% of the pixels, by up to 0.55; 94% of these are read in one column
#   shifted by 0.50 pixel: wrong by more than 0.01 at 32% of the pixels, by up to 0.37; 98% of these are read in one column
# In degrees (longlat), and in an equal-area projection about its center, shifted areas are right, and points on pixels are not.
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{
  python3 -m venv venv && venv/bin/pip install --quiet pyresample==1.35.0 numpy==2.4.6 pyproj==3.7.2
} || exit 2
venv/bin/python - <<'PY'
import sys
import warnings

import numpy as np

warnings.simplefilter("ignore")
from pyresample import AreaDefinition
from pyresample.bilinear import NumpyBilinearResampler

ROWS, COLUMNS, SIDE = 20, 30, 1000.0
LEFT, BOTTOM = 400_000.0, 5_000_000.0


def area(shift):
    step = shift * SIDE
    extent = (LEFT + step, BOTTOM - step, LEFT + COLUMNS * SIDE + step, BOTTOM + ROWS * SIDE - step)
    return AreaDefinition("utm", "", "", "+proj=utm +zone=33 +datum=WGS84", COLUMNS, ROWS, extent)


image = np.random.default_rng(0).random((ROWS, COLUMNS))
source = area(0.0)
inside = (slice(3, -3), slice(3, -3))
shares = {}
for shift in (0.0, 0.25, 0.5):
    resampler = NumpyBilinearResampler(source, area(shift), 3000)
    found = np.ma.filled(np.ma.masked_invalid(resampler.resample(image)), np.nan)[inside]
    rows = (1 - shift) * image[:-1] + shift * image[1:]
    expected = ((1 - shift) * rows[:, :-1] + shift * rows[:, 1:])[3:-2, 3:-2]
    error = np.abs(found - expected)
    wrong = error > 0.01
    # The same with one of the two neighbors alone along x.
    beside = [rows[:, :-1][3:-2, 3:-2], rows[:, 1:][3:-2, 3:-2]]
    one = np.min([np.abs(found - value) for value in beside], axis=0) < 1e-3
    shares[shift] = wrong.mean(), error.max()
    print(f"shifted by {shift:4.2f} pixel: wrong by more than 0.01 at {shares[shift][0]:.0%} of the pixels,", end=" ")
    print(f"by up to {shares[shift][1]:.2f}; {one[wrong].mean():.0%} of these are read in one column")
sys.exit(not all(share > 0.2 and largest > 0.3 for share, largest in shares.values()))
PY
