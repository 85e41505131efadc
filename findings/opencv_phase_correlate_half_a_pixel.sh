#!/usr/bin/env bash
# OpenCV: `phaseCorrelate` is off by half a pixel for one size of images in nine: 44, 75, 125, 220 or 370 pixels.
#
# Expected: an image is shifted against itself by 0, whatever its size.
# Happens: the peak is counted from size / 2, which lies between pixels where the size of the transform is odd. That
#   size is the next product of powers of 2, 3 and 5: 41 to 45 pixels take 45, 121 to 125 take 125, 361 to 375 take 375,
#   which are 11 % of all sizes from 32 to 1024; 63 and 127 take even ones and are right. Each axis counts by itself.
#   The response is 1, and images that are cropped otherwise do not show it. `phaseCorrelateIterative` is right.
# Seen with Python 3.11.7, opencv-python-headless 5.0.0.93, numpy 2.4.6; noise, rolled by (3, 5) pixels:
#   44x44: shift (3.49, 5.60), of an image against itself (0.50, 0.50), response 1.00
#   64x64: shift (3.00, 5.00), of an image against itself (0.00, 0.00), response 1.00
#   75x75: shift (3.50, 5.50), of an image against itself (0.50, 0.50), response 1.00
#   125x125: shift (3.50, 5.50), of an image against itself (0.50, 0.50), response 1.00
#   125x128: shift (3.50, 5.00), of an image against itself (0.50, 0.00), response 1.00
#   135x135: shift (3.50, 5.50), of an image against itself (0.50, 0.50), response 1.00
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet opencv-python-headless==5.0.0.93 numpy==2.4.6; } || exit 2
venv/bin/python - <<'PY'
import sys

import cv2
import numpy as np

rng = np.random.default_rng(0)
seen = []
for width, height in ((44, 44), (64, 64), (75, 75), (125, 125), (125, 128), (135, 135)):
    image = rng.random((height, width))
    rolled = np.roll(image, (5, 3), axis=(0, 1))  # down, and to the right
    (x, y), _ = cv2.phaseCorrelate(image, rolled)
    (own_x, own_y), response = cv2.phaseCorrelate(image, image)
    own = f"({abs(own_x):.2f}, {abs(own_y):.2f})"
    print(f"{width}x{height}: shift ({x:.2f}, {y:.2f}), of an image against itself {own}, response {response:.2f}")
    offset = np.array([cv2.getOptimalDFTSize(width), cv2.getOptimalDFTSize(height)]) % 2 / 2
    padded = width == 44  # which is no longer a circle, so that rolling is no exact shift
    seen.append(np.abs([x - 3, y - 5] - offset).max() < (0.2 if padded else 0.01))
    seen.append(np.abs([own_x, own_y] - offset).max() < 0.01 and response > 0.99)
iterative = cv2.phaseCorrelateIterative(image, rolled)
seen.append(np.abs(np.array(iterative) - [3, 5]).max() < 0.05)
sys.exit(not all(seen))
PY
