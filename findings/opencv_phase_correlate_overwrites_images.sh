#!/usr/bin/env bash
# OpenCV: `phaseCorrelate` with a window multiplies the caller's images by it.
#
# Expected: the two images are read, and a second call returns what the first one did.
# Happens: where no padding is needed, as for 64, 96, 100, 120, 128 or 256 pixels, the window is applied in place, to
#   both arrays. The second call sees images that are windowed twice, and returns another shift; a template that is
#   compared with many frames fades to a point. The images saved afterwards are dark at their edges. Sizes that are
#   padded, such as 127, are left alone. No warning; the arguments are inputs by the signature.
# Seen with Python 3.11.7, opencv-python-headless 5.0.0.93, numpy 2.4.6; images of values from 0 to 1:
#   128 pixels: the first image changed by 1.00, calls return 3.07, 3.01, 3.02
#   127 pixels: the first image changed by 0.00, calls return 3.11, 3.11, 3.11
#   128 pixels, copies: the first image changed by 0.00, calls return 3.07, 3.07, 3.07
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

scene = cv2.GaussianBlur(np.random.default_rng(0).random((200, 200)), (0, 0), 1.5)
scene = (scene - scene.min()) / (scene.max() - scene.min())
seen = []
for size, copies, overwritten in ((128, False, True), (127, False, False), (128, True, False)):
    fixed = scene[30 : 30 + size, 30 : 30 + size].copy()
    moving = scene[25 : 25 + size, 27 : 27 + size].copy()  # the content moves by (3, 5)
    before = fixed.copy()
    window = cv2.createHanningWindow((size, size), cv2.CV_64F)
    shifts = []
    for _ in range(3):
        arguments = (fixed.copy(), moving.copy()) if copies else (fixed, moving)
        shifts.append(cv2.phaseCorrelate(*arguments, window)[0][0])
    changed = float(np.abs(fixed - before).max())
    calls = ", ".join(f"{shift:.2f}" for shift in shifts)
    print(f"{size} pixels{', copies' * copies}: the first image changed by {changed:.2f}, calls return {calls}")
    spread = max(shifts) - min(shifts)
    seen.append((changed > 0.5 and spread > 0.01) if overwritten else (changed == 0.0 and spread == 0.0))
sys.exit(not all(seen))
PY
