#!/usr/bin/env bash
# SciPy: ndimage.rotate turns the same way for axes=(0, 1) and axes=(1, 0).
#
# Expected: the order of the two axes is the direction, as in `numpy.rot90`, where (1, 0) turns the other way; the
#   default of `rotate` is written (1, 0). So for a volume (2, 0) and (0, 2) turn in opposite ways.
# Happens: the axes are sorted. All pairs turn one way, that of `numpy.rot90` with the smaller axis first, and
#   rotate(image, 90) with its default (1, 0) is rot90 with (0, 1).
#   The sign of the angle alone gives the direction: a rotation and its "inverse" by swapped axes turn twice.
# Seen with Python 3.11.7, scipy 1.17.1, numpy 2.4.6; a volume of 5×6×7:
#   rotate by 90 with axes (0, 1) is rot90 with (0, 1); by 30 degrees, swapped axes differ by 0
#   rotate by 90 with axes (0, 2) is rot90 with (0, 2); by 30 degrees, swapped axes differ by 0
#   rotate by 90 with axes (1, 0) is rot90 with (0, 1); by 30 degrees, swapped axes differ by 0
#   rotate by 90 with axes (1, 2) is rot90 with (1, 2); by 30 degrees, swapped axes differ by 0
#   rotate by 90 with axes (2, 0) is rot90 with (0, 2); by 30 degrees, swapped axes differ by 0
#   rotate by 90 with axes (2, 1) is rot90 with (1, 2); by 30 degrees, swapped axes differ by 0
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet scipy==1.17.1 numpy==2.4.6; } || exit 2
venv/bin/python - <<'PY'
import sys
from itertools import permutations

import numpy as np
from scipy import ndimage

volume = np.random.default_rng(0).random((5, 6, 7))
seen = []
for axes in permutations(range(3), 2):
    turned = ndimage.rotate(volume, 90, axes=axes, order=1)
    ways = [way for way in (axes, axes[::-1]) if np.allclose(turned, np.rot90(volume, axes=way))]
    swapped = np.abs(ndimage.rotate(volume, 30, axes=axes) - ndimage.rotate(volume, 30, axes=axes[::-1])).max()
    print(f"rotate by 90 with axes {axes} is rot90 with {ways[0]}; by 30 degrees, swapped axes differ by {swapped:.2g}")
    seen.append(ways == [tuple(sorted(axes))] and swapped == 0)
sys.exit(not all(seen))
PY
