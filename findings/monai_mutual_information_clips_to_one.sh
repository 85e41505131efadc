#!/usr/bin/env bash
# MONAI: the mutual information loss cuts images off at 0 and 1.
#
# Expected: mutual information does not depend on the unit of gray values, so an image and its negative have much of it
#   whether they are given from 0 to 1, standardized, from 0 to 255 or in Hounsfield units.
# Happens: `GlobalMutualInformationLoss` clips values to the range from 0 to 1 by default (`kernel_type="gaussian"`). Of
#   images from 0 to 255 nearly all is 1: the loss is 0 for a perfect match, and so is its gradient for nearly all pixels.
#   Of standardized images it sees a part. No warning. The other kernel, "b-spline", takes the range of the images.
# Seen with Python 3.11.7, torch 2.13.0+cpu, monai 1.6.1; an image of 48 × 48 pixels and its negative, and the pixels with a
# gradient:
#   from 0 to 1: gaussian -1.962, 2304 pixels; b-spline -1.907
#   from -1 to 1: gaussian -0.467, 1067 pixels; b-spline -1.907
#   from 0 to 255: gaussian -0.000, 20 pixels; b-spline -1.907
#   from -500 to 500: gaussian -0.681, 3 pixels; b-spline -1.907
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{
  python3 -m venv venv && venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6 packaging==26.4 &&
    venv/bin/pip install --quiet --no-deps monai==1.6.1
} || exit 2
venv/bin/python -W ignore - <<'PY'
import sys

import torch
from monai.losses import GlobalMutualInformationLoss

generator = torch.Generator().manual_seed(0)
coarse = torch.rand(1, 1, 6, 6, generator=generator)
image = torch.nn.functional.interpolate(coarse, size=(48, 48), mode="bilinear")
image = (image - image.min()) / (image.max() - image.min())
seen = {}
for low, high in ((0, 1), (-1, 1), (0, 255), (-500, 500)):
    one = (low + (high - low) * image).requires_grad_()
    other = low + (high - low) * (1 - image)
    loss = GlobalMutualInformationLoss()(one, other)
    loss.backward()
    spline = GlobalMutualInformationLoss(kernel_type="b-spline")(one.detach(), other).item()
    pixels = (one.grad != 0).sum().item()
    seen[low, high] = loss.item(), pixels, spline
    print(f"from {low} to {high}: gaussian {loss.item():.3f}, {pixels} pixels; b-spline {spline:.3f}")
losses, pixels, splines = zip(*seen.values())
steady = max(splines) - min(splines) < 0.01 and splines[0] < -1
lost = losses[0] < -1.5 and all(loss > -0.9 for loss in losses[1:]) and losses[2] > -0.05
sys.exit(not (steady and lost and pixels[0] > 2000 and max(pixels[2:]) < 100))
PY
