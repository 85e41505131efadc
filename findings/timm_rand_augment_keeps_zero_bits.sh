#!/usr/bin/env bash
# timm: RandAugment asks Pillow for images of 0 bits, in the most common recipe too.
#
# Expected: "rand-m9-mstd0.5-inc1", the recipe of many published models, gives augmented images; a magnitude near 0 is
#   the mildest augmentation.
# Happens: posterizing keeps int(0.4 · magnitude) bits, and 4 minus that with "inc1". The magnitude is drawn from a
#   normal distribution about 9 and cut off at 10, so 0 bits are kept in 2 of 100 posterized images. Pillow 13 refuses
#   0 bits with a ValueError, in a worker of the loader: one image in 600 ends the training. Pillow 12 gave a black
#   image. Without "inc1" all magnitudes below 2.5 do so: "rand-m2" fails for 1 image in 16, and without the noise
#   of "mstd" the recipe is safe at 9 but not at 10.
# Seen with Python 3.11.7, timm 1.0.31, torch 2.13.0+cpu, torchvision 0.28.0, numpy 2.4.6; 5000 images each:
#   Pillow 13.0.0, rand-m9-mstd0.5-inc1: 8 of 0 bits, 8 errors (bits must be between or equal to 1 and 8)
#   Pillow 13.0.0, rand-m9-inc1: 0 of 0 bits, 0 errors
#   Pillow 13.0.0, rand-m2: 316 of 0 bits, 316 errors (bits must be between or equal to 1 and 8)
#   Pillow 13.0.0, rand-m10-inc1: 321 of 0 bits, 321 errors (bits must be between or equal to 1 and 8)
#   Pillow 13.0.0: 0 bits are refused
#   Pillow 12.0.0, rand-m9-mstd0.5-inc1: 7 of 0 bits, 0 errors
#   Pillow 12.0.0, rand-m9-inc1: 0 of 0 bits, 0 errors
#   Pillow 12.0.0, rand-m2: 322 of 0 bits, 0 errors
#   Pillow 12.0.0, rand-m10-inc1: 333 of 0 bits, 0 errors
#   Pillow 12.0.0: 0 bits are an image whose largest value is 0
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{
  python3 -m venv venv && venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6 pyyaml==6.0.3 &&
    venv/bin/pip install --quiet --no-deps timm==1.0.31 torchvision==0.28.0 pillow==13.0.0 &&
    venv/bin/pip install --quiet --no-deps --target older pillow==12.0.0
} || exit 2
cat >count.py <<'PY'
import random
import sys
import warnings

import numpy as np
import torch

warnings.simplefilter("ignore")
# torchvision may be of another build than torch; augmentations need none of its operators.
library = torch.library.Library("torchvision", "FRAGMENT")
try:
    import torchvision  # noqa: F401
except RuntimeError:
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
import PIL
from PIL import Image, ImageOps
from timm.data.auto_augment import rand_augment_transform

image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8))
original = ImageOps.posterize
bits = []


def posterize(picture, kept):
    bits.append(kept)
    return original(picture, kept)


ImageOps.posterize = posterize  # counts, and calls Pillow
new = PIL.__version__.startswith("13")
seen = []
for recipe in ("rand-m9-mstd0.5-inc1", "rand-m9-inc1", "rand-m2", "rand-m10-inc1"):
    random.seed(0)
    np.random.seed(0)
    augment, errors, message = rand_augment_transform(recipe, {}), 0, ""
    bits.clear()
    for _ in range(5000):
        try:
            augment(image)
        except ValueError as error:
            errors, message = errors + 1, f" ({error})"
    print(f"Pillow {PIL.__version__}, {recipe}: {bits.count(0)} of 0 bits, {errors} errors{message}")
    seen.append((bits.count(0), errors))
black = "refused" if new else f"an image whose largest value is {np.asarray(original(image, 0)).max()}"
print(f"Pillow {PIL.__version__}: 0 bits are {black}")
zero = [count for count, _ in seen]
sys.exit(not (zero[0] >= 2 and zero[1] == 0 and min(zero[2:]) > 100 and all(n == e * new or not new for n, e in seen)))
PY
venv/bin/python count.py
PYTHONPATH="$folder/older" venv/bin/python count.py
