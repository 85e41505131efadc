#!/usr/bin/env bash
# Keras: RandomShear shears boxes right in a square image alone.
#
# Expected: boxes that are sheared with an image are the bounds of what they were drawn around, whatever the image's shape.
# Happens: the image is sheared in pixels, the boxes in relative coordinates, from 0 to 1 along either axis: along x they
#   move width / height times as far as the image, along y height / width times. In a square image, with which one tests, they
#   agree.
# Seen with Python 3.11.7, torch 2.13.0+cpu, keras 3.15.1, numpy 2.4.6; an object and its box, shear 0.2:
#   80 × 80 along x: object at x 42 to 64, y 58 to 70; box at x 42 to 64, y 58 to 70
#   80 × 80 along y: object at x 30 to 50, y 64 to 80; box at x 30 to 50, y 64 to 80
#   60 × 120 along x: object at x 38 to 60, y 38 to 50; box at x 45 to 70, y 38 to 50
#   60 × 120 along y: object at x 30 to 50, y 44 to 60; box at x 30 to 50, y 41 to 55
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{
  python3 -m venv venv && venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6 keras==3.15.1
} || exit 2
export KERAS_BACKEND=torch KERAS_HOME="$folder"
venv/bin/python - <<'PY'
import sys

import keras
import numpy as np


def bounds(picture):
    ys, xs = np.nonzero(keras.ops.convert_to_numpy(picture)[..., 0] > 0.5)
    return np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1], float)


def text(found):
    left, top, right, bottom = (f"{value:.0f}" for value in found)
    return f"at x {left} to {right}, y {top} to {bottom}"


offs = []
for height, width in ((80, 80), (60, 120)):
    left, top = 30, height - 22
    image = np.zeros((1, height, width, 1), np.float32)
    image[0, top : top + 12, left : left + 20] = 1
    for axis, factors in (("x", ((0.2, 0.2), (0.0, 0.0))), ("y", ((0.0, 0.0), (0.2, 0.2)))):
        layer = keras.layers.RandomShear(*factors, fill_mode="constant", seed=1)
        layer.bounding_box_format = "xyxy"
        boxes = np.array([[[left, top, left + 20, top + 12]]], np.float32)
        boxes = {"boxes": boxes, "labels": np.zeros((1, 1), np.float32)}
        found = layer({"images": image, "bounding_boxes": boxes}, training=True)
        there = bounds(found["images"][0])
        stated = keras.ops.convert_to_numpy(found["bounding_boxes"]["boxes"])[0, 0]
        offs.append(np.abs(stated - there).max())
        print(f"{height} × {width} along {axis}: object {text(there)}; box {text(stated)}")
sys.exit(not (max(offs[:2]) < 1.5 and min(offs[2:]) > 2.5))
PY
