#!/usr/bin/env bash
# OpenCV: a cubic warp of a float64 image reads the border as whole numbers: of an image from 0 to 1 it is black.
#
# Expected: `warpAffine`, `warpPerspective` and `remap` of a float64 image with INTER_CUBIC give what float32 gives, and
#   an identity gives the image: float64 is what NumPy and scikit-image hand over.
# Happens: where the 4×4 pixels of the kernel are not all inside of the image, the fractions of its pixels are cut off
#   before they are weighed, in every border mode. That is a frame of three lines in each direction, 13 % of 40×50
#   pixels: 0 where values are below 1. INTER_LINEAR and INTER_LANCZOS4 of float64 are right, and so is INTER_CUBIC of
#   float32.
# Seen with Python 3.11.7, opencv-python-headless 5.0.0.93, numpy 2.4.6; noise from 0 to 1, moved by nothing:
#   float32, INTER_LINEAR: 0% of pixels are wrong; these are []
#   float32, INTER_CUBIC: 0% of pixels are wrong; these are []
#   float32, INTER_LANCZOS4: 0% of pixels are wrong; these are []
#   float64, INTER_LINEAR: 0% of pixels are wrong; these are []
#   float64, INTER_CUBIC: 13% of pixels are wrong; these are [0.0]
#   float64, INTER_LANCZOS4: 0% of pixels are wrong; these are []
#   noise from 0 to 100, moved by half a pixel, first pixels of a row: float32 [31.57 38.6  56.   48.7 ],
#   float64 [30.82 37.92 56.   48.7 ]
#   float32 of the whole numbers of the same noise [30.82 37.92 55.52 48.31]
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
image = np.random.default_rng(0).random((40, 50))
ys, xs = np.mgrid[:40, :50].astype(np.float32)


def warps(image, kernel, border):
    yield cv2.warpAffine(image, np.eye(2, 3), (50, 40), flags=kernel, borderMode=border)
    yield cv2.warpPerspective(image, np.eye(3), (50, 40), flags=kernel, borderMode=border)
    yield cv2.remap(image, xs, ys, kernel, borderMode=border)


seen = []
for dtype in (np.float32, np.float64):
    for kernel in ("INTER_LINEAR", "INTER_CUBIC", "INTER_LANCZOS4"):
        shares, values = set(), set()
        for border in (cv2.BORDER_CONSTANT, cv2.BORDER_REPLICATE, cv2.BORDER_REFLECT_101):
            for warped in warps(image.astype(dtype), getattr(cv2, kernel), border):
                wrong = np.abs(warped - image) > 1e-4
                shares.add(round(float(wrong.mean()), 3))
                values.update(warped[wrong].tolist())
        print(f"{np.dtype(dtype).name}, {kernel}: {max(shares):.0%} of pixels are wrong; these are {sorted(values)}")
        bad = dtype == np.float64 and kernel == "INTER_CUBIC"
        seen.append(values == {0.0} and min(shares) > 0.1 if bad else not values)
half = np.array([[1, 0, 0.5], [0, 1, 0.5]])
options = {"flags": cv2.INTER_CUBIC, "borderMode": cv2.BORDER_REPLICATE}
pictures = [(100 * image).astype(np.float32), 100 * image, np.trunc(100 * image).astype(np.float32)]
rows = [cv2.warpAffine(picture, half, (50, 40), **options)[20, :4] for picture in pictures]
print("noise from 0 to 100, moved by half a pixel, first pixels of a row: float32", rows[0].round(2), end=",\n")
print("float64", rows[1].round(2))
print("float32 of the whole numbers of the same noise", rows[2].round(2))
off = np.abs(rows[1] - rows[0]) > 0.1
as_whole = np.abs(rows[1] - rows[2])[off].max() < 1e-3
sys.exit(not (all(seen) and off.tolist() == [True, True, False, False] and as_whole))
PY
