#!/usr/bin/env bash
# Pillow: Image.reduce gives 0 for a box whose mean is 5/9, and 200 for one whose mean is 200.514.
#
# Expected: the mean of a box, rounded to the nearest level.
# Happens: the sum is multiplied by the whole part of 2^24 / area, so that for areas that are no power of two a mean
#   slightly above a half is rounded down.
# Seen with Python 3.11.7, pillow 13.0.0:
#   3×3 pixels, five of 1 and four of 0: mean 0.556, reduced 0
#   7×5 pixels, 17 of 200 and 18 of 201: mean 200.514, reduced 200
#   4×4 pixels, nine of 1 and seven of 0: mean 0.562, reduced 1
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet pillow==13.0.0; } || exit 2
venv/bin/python - <<'PY'
import sys

from PIL import Image


def reduced(width, height, values):
    image = Image.new("L", (width, height))
    image.putdata(values)
    got = image.reduce((width, height)).getpixel((0, 0))
    print(f"{width}×{height} pixels: mean {sum(values) / len(values):.3f}, reduced {got}")
    return got


nine = reduced(3, 3, [1] * 5 + [0] * 4)
thirty_five = reduced(7, 5, [200] * 17 + [201] * 18)
sixteen = reduced(4, 4, [1] * 9 + [0] * 7)
sys.exit((nine, thirty_five, sixteen) != (0, 200, 1))
PY
