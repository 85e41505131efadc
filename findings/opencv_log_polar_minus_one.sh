#!/usr/bin/env bash
# OpenCV: column x of warpPolar with WARP_POLAR_LOG is the radius R^(x/W) − 1, and not R^(x/W).
#
# Expected: a column is a logarithm of the radius, rho = W / ln(R) · ln(r), so that column x samples at the radius
#   r = R^(x/W), and enlarging the image shifts the output along its columns.
# Happens: column x samples at r = R^(x/W) − 1: the radii run from 0 to R − 1, and enlarging is no exact shift. A
#   log-polar registration by phase correlation is biased near the center.
# Seen with Python 3.11.7, opencv-python-headless 5.0.0.93, numpy 2.4.6, R = 3 and W = 4:
#   radii sampled by the row of angle 0: [0.0, 0.316, 0.732, 1.28]
#   R^(x/W):                             [1.0, 1.316, 1.732, 2.28]
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

R, W, CENTER = 3.0, 4, (4.5, 3.0)
# An image whose value is the column, so that a sample tells where it was read.
columns = np.mgrid[:7, :10][1].astype(np.float32)
sampled = cv2.warpPolar(columns, (W, 6), CENTER, R, cv2.INTER_LINEAR + cv2.WARP_POLAR_LOG)
radii = sampled[0] - CENTER[0]
logarithmic = R ** (np.arange(W) / W)
print("radii sampled by the row of angle 0:", [round(float(r), 3) for r in radii])
print("R^(x/W):                            ", logarithmic.round(3).tolist())
sys.exit(not np.allclose(radii, logarithmic - 1, atol=1e-3))
PY
