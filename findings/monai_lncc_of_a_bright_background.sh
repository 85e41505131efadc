#!/usr/bin/env bash
# MONAI: the local normalized cross correlation of images with a bright, flat background is minus many millions.
#
# Expected: LocalNormalizedCrossCorrelationLoss does not change with the brightness of the images, and lies between -1 and
#   0. A window without contrast counts 0.
# Happens: covariance and variances are differences of sums in float32. Where a window is flat at 255 they are rounding
#   error. The variances are cut off at 1e-5 and the covariance is not, so that its square is divided by 1e-10. The mean is
#   that of the background. In float64, or with a background of 0, the loss is a correlation.
# Seen with Python 3.11.7, torch 2.13.0+cpu, monai 1.6.1, numpy 2.4.6; the default loss of blobs that are 6 pixels apart:
#   dark background, 0: float32 -0.488, float64 -0.488
#   white background, 255: float32 below -1000000, float64 -0.713
#   air in a CT, -1000: float32 below -1000000, float64 -0.750
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
    from monai.losses import LocalNormalizedCrossCorrelationLoss

y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")


def blob(column):
    return torch.exp(-((x - column) ** 2 + (y - 32) ** 2) / 50)[None, None]


loss = LocalNormalizedCrossCorrelationLoss(spatial_dims=2, kernel_size=9)
seen = []
for name, background, contrast in (
    ("dark background, 0", 0.0, 255.0),
    ("white background, 255", 255.0, -255.0),
    ("air in a CT, -1000", -1000.0, 1000.0),
):
    one, other = (background + contrast * blob(column) for column in (32, 38))
    single, double = float(loss(one, other)), float(loss(one.double(), other.double()))
    print(f"{name}: float32 {'below -1000000' if single < -1e6 else f'{single:.3f}'}, float64 {double:.3f}")
    seen.append((single < -1e6, -1 <= double <= 0))
sys.exit(seen != [(False, True), (True, True), (True, True)])
PY
