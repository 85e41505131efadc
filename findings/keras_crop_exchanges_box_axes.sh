#!/usr/bin/env bash
# Keras: RandomCrop moves boxes by the vertical offset along x, and by the horizontal one along y.
#
# Expected: images, masks and boxes that are given to one layer together are cropped together, as CenterCrop does it.
# Happens: the image and its mask lose `top` rows and `left` columns; boxes have `top` subtracted from x and `left` from y.
#   They are right where the offsets happen to be equal, as on the diagonal, and else as far off as the offsets differ. What
#   would lie left of or above the image is cut off there, and nothing is right of or below it: boxes leave the image.
# Seen with Python 3.11.7, torch 2.13.0+cpu, keras 3.15.1, numpy 2.4.6; an object in an image of 60 × 90, and its box:
#   RandomCrop, seed 0: object at x 7 to 24, y 10 to 21; box at x 17 to 34, y 0 to 11
#   RandomCrop, seed 1: object at x 10 to 27, y 7 to 18; box at x 14 to 31, y 3 to 14
#   RandomCrop, seed 2: object at x 22 to 39, y 9 to 20; box at x 16 to 33, y 15 to 26
#   RandomCrop, seed 3: object at x 11 to 28, y 15 to 26; box at x 22 to 39, y 4 to 15
#   CenterCrop: object at x 12 to 29, y 10 to 21; box at x 12 to 29, y 10 to 21
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{
  python3 -m venv venv && venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6 keras==3.15.1
} || exit 2
KERAS_BACKEND=torch KERAS_HOME="$folder" venv/bin/python - <<'PY'
import sys

import keras
import numpy as np

box = np.array([22, 15, 39, 26], np.float32)  # left, top, right, bottom
image = np.zeros((60, 90, 1), np.float32)
image[15:26, 22:39] = 1


def bounds(picture):
    ys, xs = np.nonzero(keras.ops.convert_to_numpy(picture)[..., 0] > 0.5)
    return np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])


def text(found):
    left, top, right, bottom = (f"{value:g}" for value in found)
    return f"at x {left} to {right}, y {top} to {bottom}"


right, wrong = [], []
layers = [(f"RandomCrop, seed {seed}", keras.layers.RandomCrop(50, 70, seed=seed)) for seed in range(4)]
for name, layer in (*layers, ("CenterCrop", keras.layers.CenterCrop(50, 70))):
    layer.bounding_box_format = "xyxy"
    boxes = {"boxes": box[None, None].copy(), "labels": np.zeros((1, 1), np.float32)}
    found = layer({"images": image[None], "bounding_boxes": boxes}, training=True)
    there, stated = bounds(found["images"][0]), keras.ops.convert_to_numpy(found["bounding_boxes"]["boxes"])[0, 0]
    print(f"{name}: object {text(there)}; box {text(stated)}")
    left, top = box[:2] - there[:2]
    exchanged = box - np.array([top, left, top, left])
    (right if name == "CenterCrop" else wrong).append((there, stated, exchanged, left != top))
centered = all(np.allclose(there, stated) for there, stated, *_ in right)
exchanged = all(np.allclose(stated, swapped) for _, stated, swapped, _ in wrong)
sys.exit(not (centered and exchanged and any(differ for *_, differ in wrong)))
PY
