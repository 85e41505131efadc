#!/usr/bin/env bash
# Pillow: rotating or transforming an image of 16 bits bilinearly gives numbers from 0 to 255 that are no pixels.
#
# Expected: `rotate` and `transform` interpolate mode I;16, as `resize` does, or refuse it, as filters do.
# Happens: the interpolation of `transform` reads pixels of 16 bits as if they were bytes, and writes one byte of each:
#   of a constant image of 1000 a shift makes 174, a rotation 210. An image of 256 gets black; of other images the
#   result has edges and gradients, and looks like noise on the picture. NEAREST, whole turns by 90 degrees and `resize`
#   are right, so tests with these pass. Depth maps, X-rays and microscopy come in this mode. No error, no warning.
# Seen with Python 3.11.7, Pillow 13.0.0, numpy 2.4.6; the pixels in the middle of constant images of 16 bits:
#   100: shifted by a quarter 75, rotated by 10 degrees 90, enlarged by EXTENT 75, nearest 100, resized 100
#   256: shifted by a quarter 0, rotated by 10 degrees 0, enlarged by EXTENT 0, nearest 256, resized 256
#   1000: shifted by a quarter 174, rotated by 10 degrees 210, enlarged by EXTENT 174, nearest 1000, resized 1000
#   40000: shifted by a quarter 87, rotated by 10 degrees 72, enlarged by EXTENT 87, nearest 40000, resized 40000
#   1000 as mode I or F: shifted by a quarter 1000
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet pillow==13.0.0 numpy==2.4.6; } || exit 2
venv/bin/python - <<'PY'
import sys

import numpy as np
from PIL import Image

BILINEAR, NEAREST = Image.Resampling.BILINEAR, Image.Resampling.NEAREST
AFFINE, EXTENT = Image.Transform.AFFINE, Image.Transform.EXTENT
QUARTER = (1, 0, 0.25, 0, 1, 0.25)


def middle(image):
    return image.getpixel((image.width // 2, image.height // 2))


seen = []
for value in (100, 256, 1000, 40000):
    image = Image.fromarray(np.full((8, 8), value, dtype=np.uint16))
    assert image.mode == "I;16"
    shifted = middle(image.transform((8, 8), AFFINE, QUARTER, BILINEAR))
    rotated = middle(image.rotate(10, BILINEAR))
    enlarged = middle(image.transform((16, 16), EXTENT, (0, 0, 8, 8), BILINEAR))
    nearest = middle(image.transform((8, 8), AFFINE, QUARTER, NEAREST))
    resized = middle(image.resize((16, 16), BILINEAR))
    print(
        f"{value}: shifted by a quarter {shifted}, rotated by 10 degrees {rotated}, enlarged by EXTENT {enlarged}, "
        f"nearest {nearest}, resized {resized}"
    )
    broken = all(number < min(value, 256) for number in (shifted, rotated, enlarged))
    seen.append(broken and nearest == resized == value)
wide = [Image.fromarray(np.full((8, 8), 1000, dtype=dtype)) for dtype in (np.int32, np.float32)]
assert [image.mode for image in wide] == ["I", "F"]
shifted = {round(middle(image.transform((8, 8), AFFINE, QUARTER, BILINEAR)), 6) for image in wide}
print("1000 as mode I or F: shifted by a quarter", *(f"{number:g}" for number in shifted))
sys.exit(not (all(seen) and shifted == {1000}))
PY
