#!/usr/bin/env bash
# torchmetrics: an image with a flat background is unlike itself, by the universal image quality index.
#
# Expected: `universal_image_quality_index(image, image)` is 1, its largest value, and `spatial_correlation_coefficient` is
#   too, as SSIM is.
# Happens: where a window is flat, 0/0 is counted as 0, which is "nothing in common". An image is like itself by the part of
#   it that is not flat: 0.07 for an object on a quarter of the width. Scans, digits and padded images are compared by their
#   background; a warped image that fills less of the frame scores lower for that alone. No warning.
# Seen with Python 3.11.7, torch 2.13.0+cpu, torchmetrics 1.9.0; an image and itself, 64 × 64 pixels, texture in a corner, 0
# elsewhere:
#   texture of 64 × 64: quality index 1.00, correlation 1.00, SSIM 1.00
#   texture of 48 × 48: quality index 0.73, correlation 0.69, SSIM 1.00
#   texture of 32 × 32: quality index 0.32, correlation 0.33, SSIM 1.00
#   texture of 16 × 16: quality index 0.07, correlation 0.11, SSIM 1.00
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{
  python3 -m venv venv && venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6 packaging==26.4 &&
    venv/bin/pip install --quiet --no-deps torchmetrics==1.9.0 lightning-utilities==0.15.3
} || exit 2
venv/bin/python -W ignore - <<'PY'
import sys

import torch
from torchmetrics.functional.image import (
    spatial_correlation_coefficient,
    structural_similarity_index_measure,
    universal_image_quality_index,
)

generator = torch.Generator().manual_seed(0)
seen = []
for width in (64, 48, 32, 16):
    image = torch.zeros(1, 1, 64, 64)
    coarse = torch.rand(1, 1, 8, 8, generator=generator)
    image[..., :width, :width] = torch.nn.functional.interpolate(coarse, size=(width, width), mode="bicubic")
    index = universal_image_quality_index(image, image).item()
    correlation = spatial_correlation_coefficient(image, image).item()
    ssim = structural_similarity_index_measure(image, image, data_range=1.0).item()
    seen.append((index, correlation, ssim))
    print(f"texture of {width} × {width}: quality index {index:.2f}, correlation {correlation:.2f}, SSIM {ssim:.2f}")
full, small = seen[0], seen[-1]
right = min(full) > 0.98 and all(abs(row[2] - 1) < 1e-3 for row in seen)
sys.exit(not (right and small[0] < 0.2 and small[1] < 0.2))
PY
