#!/usr/bin/env bash
# Pillow: ImageOps.pad of an image that would be thinner than a pixel gives the background alone.
#
# Expected: `pad` shows the whole image in the requested size, with bars beside it; of a very long image at least a line
#   of one pixel.
# Happens: the shorter side is rounded, to 0 where it is less than half a pixel, and an image of no pixels is pasted: the
#   result has the background and nothing else, without an error. A long, thin image becomes an empty training sample.
# Seen with Python 3.11.7, Pillow 13.0.0, a white image of 333×1 pixels padded with black:
#   to 39×38: largest value 0
#   to 200×38: largest value 255
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet pillow==13.0.0; } || exit 2
venv/bin/python - <<'PY'
import sys

from PIL import Image, ImageOps

seen = {}
for size in ((39, 38), (200, 38)):
    seen[size] = ImageOps.pad(Image.new("L", (333, 1), 255), size, color=0).getextrema()[1]
    print(f"to {size[0]}×{size[1]}: largest value {seen[size]}")
sys.exit(seen != {(39, 38): 0, (200, 38): 255})
PY
