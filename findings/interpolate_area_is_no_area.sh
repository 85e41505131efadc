#!/usr/bin/env bash
# torch: interpolate(mode="area") does not weigh pixels by their area.
#
# Expected: an output pixel is the mean over its box, to which a pixel that is cut counts by its share, as in
#   OpenCV's INTER_AREA: the mean of the image stays, and the steps of a ramp are equal.
# Happens: it is adaptive_avg_pool: boxes are rounded outwards to whole pixels and overlap, so that pixels at joints count
#   twice. Only for whole factors it is the area. The mean changes, and steps are uneven. It is the default of MONAI's
#   Resize.
# Seen with Python 3.11.7, torch 2.13.0+cpu, numpy 2.4.6, OpenCV 5.0.0; weights of five pixels in the mean of the result:
#   5 to 4: torch [0.125 0.25  0.25  0.25  0.125], OpenCV [0.2 0.2 0.2 0.2 0.2]
#   5 to 3: torch [0.167 0.278 0.111 0.278 0.167], OpenCV [0.2 0.2 0.2 0.2 0.2]
#   7 to 4: a ramp by steps of [1.5 2.  1.5], OpenCV [1.714 1.714 1.714]
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{
  python3 -m venv venv && venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6 opencv-python-headless==5.0.0.93
} || exit 2
venv/bin/python - <<'PY'
import sys

import cv2
import numpy as np
import torch
import torch.nn.functional as F


def both(row, size):
    ours = F.interpolate(torch.from_numpy(row)[None, None], size=size, mode="area")[0, 0].numpy()
    return ours, cv2.resize(row[None], (size, 1), interpolation=cv2.INTER_AREA)[0]


seen = []
for n, size, expected in ((5, 4, [0.125, 0.25, 0.25, 0.25, 0.125]), (5, 3, [1 / 6, 5 / 18, 1 / 9, 5 / 18, 1 / 6])):
    means = np.array([[read.mean() for read in both(row, size)] for row in np.eye(n, dtype=np.float32)])
    print(f"{n} to {size}: torch {means[:, 0].round(3)}, OpenCV {means[:, 1].round(3)}")
    seen.append(np.abs(means[:, 0] - expected).max() < 1e-5 and np.abs(means[:, 1] - 1 / n).max() < 1e-5)
steps = [np.diff(read) for read in both(np.arange(7, dtype=np.float32), 4)]
print(f"7 to 4: a ramp by steps of {steps[0].round(3)}, OpenCV {steps[1].round(3)}")
seen.append(np.abs(steps[0] - [1.5, 2, 1.5]).max() < 1e-5 and np.ptp(steps[1]) < 1e-5)
sys.exit(not all(seen))
PY
