#!/usr/bin/env bash
# OpenCV: a two-channel image is read at coordinates rounded to 1/32 of a pixel, its channels alone are read exactly.
#
# Expected: `warpAffine`, `warpPerspective` and `remap` treat channels alike: a displacement field of two channels is
#   warped as its two components would be.
# Happens: the linear interpolation of float32 and uint16 takes exact coordinates for images of 1, 3 and 4 channels.
#   For 2 channels, and for 5 or more, the coordinates are rounded to 1/32 of a pixel first, as they are for float64.
#   So the one kind of image that is most often composed with itself, a field of (x, y), has the coarse rule: a ramp
#   that is shifted by 0.51 moves by 0.5, and 50 shifts by 0.51 end half a pixel short.
# Seen with Python 3.11.7, opencv-python-headless 5.0.0.93, numpy 2.4.6; a ramp of float32, shifted by 0.51:
#   warpAffine: 1 channel 0.510, 2 channels 0.500, 3 channels 0.510, 4 channels 0.510, 5 channels 0.500
#   warpPerspective: 1 channel 0.510, 2 channels 0.500, 3 channels 0.510, 4 channels 0.510, 5 channels 0.500
#   remap: 1 channel 0.510, 2 channels 0.500, 3 channels 0.510, 4 channels 0.510, 5 channels 0.500
#   50 shifts in a row: 25.50 for a component alone, 25.00 in the field
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

cv2.setNumThreads(1)
STEP = 0.51
SHIFT = np.array([[1, 0, STEP], [0, 1, 0]])
ys, xs = np.mgrid[:100, :100].astype(np.float32)
FLAGS = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
warps = {
    "warpAffine": lambda image: cv2.warpAffine(image, SHIFT, (100, 100), flags=FLAGS),
    "warpPerspective": lambda image: cv2.warpPerspective(image, np.vstack([SHIFT, [0, 0, 1]]), (100, 100), flags=FLAGS),
    "remap": lambda image: cv2.remap(image, xs + np.float32(STEP), ys, cv2.INTER_LINEAR),
}


def middle(image):
    return float(image.reshape(100, 100, -1)[50, 30, 0]) - 30


seen = []
for name, warp in warps.items():
    moved = [middle(warp(np.repeat(xs[..., None], channels, axis=2))) for channels in range(1, 6)]
    print(f"{name}: " + ", ".join(f"{n + 1} channel{'s' * (n > 0)} {shift:.3f}" for n, shift in enumerate(moved)))
    seen.append(all(abs(moved[n] - STEP) < 1e-4 for n in (0, 2, 3)) and all(abs(moved[n] - 0.5) < 1e-4 for n in (1, 4)))
alone, field = xs, np.stack([xs, ys], axis=2)
for _ in range(50):
    alone, field = warps["warpAffine"](alone), warps["warpAffine"](field)
print(f"50 shifts in a row: {middle(alone):.2f} for a component alone, {middle(field):.2f} in the field")
sys.exit(not (all(seen) and abs(middle(alone) - 25.5) < 0.01 and abs(middle(field) - 25) < 0.01))
PY
