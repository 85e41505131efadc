#!/usr/bin/env bash
# MONAI: Rand2DElastic and RandGridDistortion of size zero move the image.
#
# Expected: with magnitude_range=(0, 0), or distort_limit=0, the result is the image, as it is of Rand3DElastic.
# Happens: Rand2DElastic reads the identity between its control points by torch's bicubic kernel, a = -0.75, which bends
#   straight lines: waves of 5 % of `spacing` are in every result, beside what was drawn. GridDistortion puts the first and
#   the last of the n pixels of a cell n apart instead of n - 1: each cell is stretched by a pixel. Labels that are not
#   sent through the same map do not fit, and a comparison with "no distortion" has one.
# Seen with Python 3.11.7, torch 2.13.0+cpu, monai 1.6.1, numpy 2.4.6; 64 x 64 pixels, largest distance in pixels:
#   Rand2DElastic, spacing 10: 0.47
#   Rand2DElastic, spacing 20: 0.96
#   Rand2DElastic, spacing 32: 1.54
#   RandGridDistortion, 4 cells: 1.00
#   RandGridDistortion, 16 cells: 1.00
#   Rand3DElastic: 0.00
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{
  python3 -m venv venv && venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6 packaging==26.3 &&
    venv/bin/pip install --quiet --no-deps monai==1.6.1
} || exit 2
venv/bin/python - <<'PY'
import sys
import warnings

import torch

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import monai.transforms as M

ramps = torch.stack(torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij"))  # each pixel tells its place
volume = torch.stack(torch.meshgrid(torch.arange(12.0), torch.arange(14.0), torch.arange(16.0), indexing="ij"))
seen = []
for title, transform, image, expected in (
    *(
        (
            f"Rand2DElastic, spacing {spacing}",
            M.Rand2DElastic((spacing, spacing), (0.0, 0.0), prob=1.0, padding_mode="border"),
            ramps,
            expected,
        )
        for spacing, expected in ((10, 0.47), (20, 0.96), (32, 1.54))
    ),
    ("RandGridDistortion, 4 cells", M.RandGridDistortion(4, prob=1.0, distort_limit=0.0), ramps, 1.0),
    ("RandGridDistortion, 16 cells", M.RandGridDistortion(16, prob=1.0, distort_limit=0.0), ramps, 1.0),
    ("Rand3DElastic", M.Rand3DElastic((3, 4), (0, 0), prob=1.0, padding_mode="border"), volume, 0.0),
):
    moved = float((torch.as_tensor(transform(image)) - image).abs().max())
    seen.append(abs(moved - expected) < 0.02)
    print(f"{title}: {moved:.2f}")
sys.exit(not all(seen))
PY
