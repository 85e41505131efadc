#!/usr/bin/env bash
# OpenCV: warping with a singular matrix shows one pixel everywhere, or nothing, without an error.
#
# Expected: warpAffine and warpPerspective, which invert the matrix that they are given, refuse one that has no inverse,
#   and invertAffineTransform does.
# Happens: the inverse of a singular matrix is 0. With it invertAffineTransform maps all points to (0, 0), warpAffine
#   fills the output with the pixel (0, 0), wherever the matrix leads, and warpPerspective, for which all points lie at
#   infinity, with the border value. A predicted θ that has collapsed gives a plausible flat image.
# Seen with Python 3.11.7, opencv-python-headless 5.0.0.93:
#   invertAffineTransform of [[1, 2, 5], [2, 4, 7]]: all 0
#   warpAffine: all pixels are 7.0, the value at (0, 0)
#   warpPerspective: all pixels are 3.0, the border value
#   warpAffine with WARP_INVERSE_MAP: 3 different values along the line that the matrix reads
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{
  python3 -m venv venv && venv/bin/pip install --quiet opencv-python-headless==5.0.0.93 numpy==2.4.6
} || exit 2
venv/bin/python - <<'PY'
import sys

import cv2
import numpy as np

image = np.arange(64, dtype=np.float32).reshape(8, 8) + 7
matrix = np.array([[1.0, 2.0, 5.0], [2.0, 4.0, 7.0]])
inverse = cv2.invertAffineTransform(matrix)
print(f"invertAffineTransform of [[1, 2, 5], [2, 4, 7]]: {'all 0' if not inverse.any() else inverse.tolist()}")
affine = np.unique(cv2.warpAffine(image, matrix, (8, 8), borderValue=3.0))
print(f"warpAffine: all pixels are {affine[0]}, the value at (0, 0)" if len(affine) == 1 else f"warpAffine: {affine}")
full = np.concatenate([matrix, [[0.0, 0.0, 1.0]]])
perspective = np.unique(cv2.warpPerspective(image, full, (8, 8), borderValue=3.0))
print(f"warpPerspective: all pixels are {perspective[0]}, the border value" if len(perspective) == 1 else perspective)
lines = np.array([[1.0, 0.0, 2.0], [2.0, 0.0, 1.0]])
read = np.unique(cv2.warpAffine(image, lines, (3, 8), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP))
print(f"warpAffine with WARP_INVERSE_MAP: {len(read)} different values along the line that the matrix reads")
sys.exit(not (not inverse.any() and affine.tolist() == [7.0] and perspective.tolist() == [3.0] and len(read) == 3))
PY
