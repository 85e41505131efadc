#!/usr/bin/env bash
# kornia: geometry.transform.center_crop blends pixels, or repeats and loses them, where a side and its crop differ in parity.
#
# Expected: a center crop takes whole pixels: 4 of 9 columns are columns 2 to 5, as in kornia's augmentation CenterCrop.
# Happens: the crop is a warp about the exact center, so that 4 of 9 columns are read at 2.5, 3.5, …: a mean of two pixels, or
#   with mode="nearest" 2, 4, 4, 6, since each half is rounded to the even pixel. Labels get classes that there were not, or
#   lose every second column. With equal parity the crop is exact, so that a test on even sizes passes.
# Seen with Python 3.11.7, torch 2.13.0+cpu, kornia 0.9.0:
#   5 of columns 0 to 8: bilinear [2.0, 3.0, 4.0, 5.0, 6.0], nearest [2.0, 3.0, 4.0, 5.0, 6.0], CenterCrop the same
#   4 of columns 0 to 8: bilinear [2.5, 3.5, 4.5, 5.5], nearest [2.0, 4.0, 4.0, 6.0], CenterCrop [2.0, 3.0, 4.0, 5.0]
#   5 of columns 0 to 7: bilinear [1.5, 2.5, 3.5, 4.5, 5.5], nearest [1.0, 2.0, 4.0, 4.0, 6.0], CenterCrop
#     [1.0, 2.0, 3.0, 4.0, 5.0]
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{
  python3 -m venv venv && venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6 packaging==26.3 &&
    venv/bin/pip install --quiet --no-deps kornia==0.9.0 kornia_rs==0.2.0
} || exit 2
venv/bin/python - <<'PY'
import sys

import torch
from kornia.augmentation import CenterCrop
from kornia.geometry.transform import center_crop

seen = {}
for side, crop in ((9, 5), (9, 4), (8, 5)):
    image = torch.arange(float(side)).expand(1, 1, side, side)
    for mode in ("bilinear", "nearest"):
        seen[side, crop, mode] = center_crop(image, (crop, crop), mode=mode)[0, 0, 0].numpy().round(3).tolist()
    seen[side, crop, "CenterCrop"] = CenterCrop(crop)(image)[0, 0, 0].numpy().round(3).tolist()
    row = ", ".join(f"{name} {seen[side, crop, name]}" for name in ("bilinear", "nearest", "CenterCrop"))
    print(f"{crop} of columns 0 to {side - 1}: {row}")
blended = seen[9, 4, "bilinear"] == [2.5, 3.5, 4.5, 5.5] and seen[9, 5, "bilinear"] == [2.0, 3.0, 4.0, 5.0, 6.0]
sys.exit(not (blended and len(set(seen[9, 4, "nearest"])) < 4))
PY
