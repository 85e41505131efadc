#!/usr/bin/env bash
# OpenCV: remap with INTER_NEAREST and fixed-point maps reads the farther of two pixels; the identity is a shift by one.
#
# Expected: the fixed-point maps that `initUndistortRectifyMap(…, CV_16SC2)` and `convertMaps` make serve every
#   interpolation: the image is read by INTER_LINEAR, its labels by INTER_NEAREST, and both lie on each other.
# Happens: INTER_NEAREST rounds the fraction the wrong way: below one half it takes the next pixel, above it the
#   previous one. A map of whole pixels moves labels by one pixel up and to the left, and at 5.9 pixel 5 is read.
#   Maps of floats, and fixed ones from `convertMaps(…, nninterpolation=True)`, are right; `initUndistortRectifyMap`
#   has no such option.
# Seen with Python 3.11.7, opencv-python-headless 5.0.0.93, numpy 2.4.6:
#   a point at 5.0: nearest by floats 5, by fixed maps 6, linear by fixed maps 5.00
#   a point at 5.1: nearest by floats 5, by fixed maps 6, linear by fixed maps 5.09
#   a point at 5.4: nearest by floats 5, by fixed maps 6, linear by fixed maps 5.41
#   a point at 5.6: nearest by floats 6, by fixed maps 5, linear by fixed maps 5.59
#   a point at 5.9: nearest by floats 6, by fixed maps 5, linear by fixed maps 5.91
#   a camera without distortion: the center (300.0, 200.0) of labels goes to (299.0, 199.0), by floats (300.0, 200.0)
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

row = np.tile(np.arange(20, dtype=np.float32), (20, 1))
xs, ys = np.meshgrid(np.arange(20, dtype=np.float32), np.arange(20, dtype=np.float32))
seen = []
for fraction in (0.0, 0.1, 0.4, 0.6, 0.9):
    floats = (xs + np.float32(fraction), ys)
    fixed = cv2.convertMaps(*floats, cv2.CV_16SC2)
    right, wrong = (int(cv2.remap(row, *maps, cv2.INTER_NEAREST)[5, 5]) for maps in (floats, fixed))
    linear = float(cv2.remap(row, *fixed, cv2.INTER_LINEAR)[5, 5])
    special = cv2.convertMaps(*floats, cv2.CV_16SC2, nninterpolation=True)
    made_for_it = int(cv2.remap(row, *special, cv2.INTER_NEAREST)[5, 5])
    print(f"a point at {5 + fraction}: nearest by floats {right}, by fixed maps {wrong},", end=" ")
    print(f"linear by fixed maps {linear:.2f}")
    near = round(5 + fraction)
    seen.append(right == made_for_it == near and wrong == 11 - near and abs(linear - 5 - fraction) < 0.02)

camera = np.array([[300.0, 0, 320], [0, 300, 240], [0, 0, 1]])
rows, columns = np.mgrid[:480, :640]
labels = ((columns - 300) ** 2 + (rows - 200) ** 2 < 10000).astype(np.uint8)
centers = []
for kind in (cv2.CV_16SC2, cv2.CV_32FC1):
    maps = cv2.initUndistortRectifyMap(camera, np.zeros(5), None, camera, (640, 480), kind)
    warped = cv2.remap(labels, *maps, cv2.INTER_NEAREST)
    centers.append(tuple(float((warped * axis).sum() / warped.sum()) for axis in (columns, rows)))
print("a camera without distortion: the center (300.0, 200.0) of labels goes to", end=" ")
print("({:.1f}, {:.1f}), by floats ({:.1f}, {:.1f})".format(*centers[0], *centers[1]))
sys.exit(not (all(seen) and np.allclose(centers, [(299, 199), (300, 200)], atol=0.01)))
PY
