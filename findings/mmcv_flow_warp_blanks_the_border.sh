#!/usr/bin/env bash
# mmcv: flow_warp with a flow of zero blanks the last row and column, and darkens an image of bytes.
#
# Expected: a flow of zero is the identity, and a whole flow reads whole pixels.
# Happens: what reads the last row or column counts as outside and gets `filling_value`, by nearest as well. Bilinear moves
#   each coordinate by a millionth, to avoid whole numbers, and cuts off the fractions of bytes: each pixel with a darker
#   neighbor to the right and below, one in two, loses a level, in each warp anew.
# Seen with Python 3.11.7, mmcv-lite 2.2.0, mmengine 0.10.7, opencv-python-headless 5.0.0.93, numpy 2.4.6; 20 × 30 pixels:
#   uint8, nearest: last row and column blank True, 0 of the 551 others a level darker
#   uint8, bilinear: last row and column blank True, 277 of the 551 others a level darker
#   float32, nearest: last row and column blank True, 0 of the 551 others a level darker
#   float32, bilinear: last row and column blank True, 0 of the 551 others a level darker
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{
  python3 -m venv venv &&
    venv/bin/pip install --quiet numpy==2.4.6 opencv-python-headless==5.0.0.93 addict==2.4.0 yapf==0.43.0 termcolor==3.3.0 \
      rich==15.0.0 pyyaml==6.0.3 packaging==26.4 pillow==13.0.0 matplotlib==3.11.2 &&
    venv/bin/pip install --quiet --no-deps mmcv-lite==2.2.0 mmengine==0.10.7
} || exit 2
venv/bin/python -W ignore - <<'PY'
import sys

import mmcv
import numpy as np

image = np.random.default_rng(0).integers(1, 255, (20, 30, 1)).astype(np.uint8)
inner, seen = (slice(0, 19), slice(0, 29)), []
for kind in (np.uint8, np.float32):
    for mode in ("nearest", "bilinear"):
        here = image.astype(kind)
        found = mmcv.flow_warp(here, np.zeros((20, 30, 2), np.float32), interpolate_mode=mode)
        lower = int((here[inner].astype(float) - found[inner] > 0.5).sum())
        blank = bool((found[-1] == 0).all() and (found[:, -1] == 0).all())
        print(f"{np.dtype(kind).name}, {mode}: last row and column blank {blank}, {lower} of the 551 others a level darker")
        seen.append(blank and (lower > 100) == (kind is np.uint8 and mode == "bilinear"))
sys.exit(not all(seen))
PY
