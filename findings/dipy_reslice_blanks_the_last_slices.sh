#!/usr/bin/env bash
# DIPY: reslice to smaller voxels makes the last slices of a volume 0.
#
# Expected: `reslice` from 2 mm to 1 mm gives twice as many voxels in each direction, all of them with values of the
#   volume, which covers the same space.
# Happens: it has twice as many, the first voxel stays on the first voxel, so the last one lies outside of the last
#   one, and what is outside is 0 with the default mode. The last slice of each direction is 0, whatever was there: 18 %
#   of a volume of 8³ voxels, 2 % of one of 64³; from 4 mm to 1 mm three slices. mode="nearest" fills them.
# Seen with Python 3.11.7, dipy 1.12.1, scipy 1.17.1, numpy 2.4.6; a volume of ones:
#   8³ voxels of 2 mm to 16³ of 1 mm: 1 of the last slices are 0, 17.6% of the volume; with nearest 0%
#   64³ voxels of 2 mm to 128³ of 1 mm: 1 of the last slices are 0, 2.3% of the volume; with nearest 0%
#   32³ voxels of 4 mm to 128³ of 1 mm: 3 of the last slices are 0, 6.9% of the volume; with nearest 0%
#   32³ voxels of 2 mm to 43³ of 1.5 mm: 1 of the last slices are 0, 6.8% of the volume; with nearest 0%
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet dipy==1.12.1 scipy==1.17.1 numpy==2.4.6; } || exit 2
venv/bin/python - <<'PY'
import sys

import numpy as np
from dipy.align.reslice import reslice

seen = []
for side, old, new in ((8, 2.0, 1.0), (64, 2.0, 1.0), (32, 4.0, 1.0), (32, 2.0, 1.5)):
    zeros = []
    for mode in ("constant", "nearest"):
        volume, _ = reslice(np.ones((side,) * 3), np.diag([old, old, old, 1]), (old,) * 3, (new,) * 3, mode=mode)
        zeros.append(float((volume == 0).mean()))
        if mode == "constant":
            slices = int((volume[:, 0, 0] == 0).sum())
    print(f"{side}³ voxels of {old:g} mm to {volume.shape[0]}³ of {new:g} mm:", end=" ")
    print(f"{slices} of the last slices are 0, {zeros[0]:.1%} of the volume; with nearest {zeros[1]:.0%}")
    seen.append(slices >= 1 and zeros[1] == 0)
sys.exit(not all(seen))
PY
