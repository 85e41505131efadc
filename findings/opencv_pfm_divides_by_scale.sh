#!/usr/bin/env bash
# OpenCV: a disparity or flow in a .pfm file is divided by the scale of its header, which the benchmarks say to ignore.
#
# Expected: the numbers of the file, as Pillow and readers of a dozen lines give them: only the sign of the scale
#   matters, which tells the byte order. Middlebury: "The absolute value of the scale factor is ignored."
# Happens: `cv2.imread` divides by its absolute value. Files with -1 and 1 are right, so a reader that is tested with
#   one's own files passes; a file with 1/255 comes out 255 times as large, and one with its largest value as numbers
#   from 0 to 1, which pass for normalized ones. There is no warning.
# Seen with Python 3.11.7, opencv-python-headless 5.0.0.93, Pillow 13.0.0, numpy 2.4.6; a file that holds 20:
#   scale -1: OpenCV 20, Pillow 20
#   scale 1: OpenCV 20, Pillow 20
#   scale -0.003922: OpenCV 5099.44, Pillow 20
#   scale -80: OpenCV 0.25, Pillow 20
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{
    python3 -m venv venv &&
        venv/bin/pip install --quiet opencv-python-headless==5.0.0.93 pillow==13.0.0 numpy==2.4.6
} || exit 2
venv/bin/python - <<'PY'
import pathlib
import sys

import cv2
import numpy as np
from PIL import Image

disparity = np.full((3, 4), 20.0, dtype=np.float32)
seen = []
for scale in ("-1", "1", "-0.003922", "-80"):
    pixels = disparity[::-1].astype("<f4" if scale.startswith("-") else ">f4").tobytes()
    pathlib.Path("disparity.pfm").write_bytes(f"Pf\n4 3\n{scale}\n".encode() + pixels)
    opencv = float(cv2.imread("disparity.pfm", cv2.IMREAD_UNCHANGED)[0, 0])
    pillow = float(np.array(Image.open("disparity.pfm"))[0, 0])
    print(f"scale {scale}: OpenCV {opencv:g}, Pillow {pillow:g}")
    seen.append(abs(opencv * abs(float(scale)) / 20 - 1) < 1e-4 and pillow == 20)
sys.exit(not all(seen))
PY
