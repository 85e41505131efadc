#!/usr/bin/env bash
# libvips: the interpolator "nearest" takes the pixel to the upper left, not the nearest one.
#
# Expected: `mapim` and `affine` with the interpolator "nearest" read the pixel whose center is nearest: the one for
#   labels, which belong to an image that is read by "bilinear" at the same coordinates.
# Happens: coordinates are rounded down, so a point at 2.9 reads pixel 2, while "bilinear" reads 0.1 times pixel 2 and
#   0.9 times pixel 3. Labels lie half a pixel to the right and below of their image on the mean, and up to one pixel.
#   Adding 0.5 to the coordinates gives the nearest pixel.
# Seen with Python 3.11.7, pyvips 3.2.0, pyvips-binary 8.18.7, numpy 2.4.6; a row of pixels 0, 1, 2, …:
#   mapim at 2.1, 2.4, 2.6, 2.9: bilinear 2.1 2.4 2.6 2.9, nearest 2 2 2 2
#   with 0.5 added: nearest 2 2 3 3
#   a disk, moved by random displacements: centers of image and labels are (0.56, 0.51) pixels apart
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{
  python3 -m venv venv && venv/bin/pip install --quiet pyvips==3.2.0 pyvips-binary==8.18.7 numpy==2.4.6
} || exit 2
venv/bin/python - <<'PY'
import sys

import numpy as np
import pyvips


def read(image, points, name):
    points = pyvips.Image.new_from_array(np.ascontiguousarray(points, dtype=np.float32))
    return pyvips.Image.new_from_array(image).mapim(points, interpolate=pyvips.Interpolate.new(name)).numpy()


XS = np.array([2.1, 2.4, 2.6, 2.9])
row = np.tile(np.arange(10, dtype=np.float32), (5, 1))
points = np.stack([XS, np.full(4, 2.0)], axis=1)[None]
bilinear, nearest = read(row, points, "bilinear")[0], read(row, points, "nearest")[0]
moved = read(row, points + [0.5, 0], "nearest")[0]
print("mapim at 2.1, 2.4, 2.6, 2.9: bilinear", *np.round(bilinear, 2), end=", ")
print("nearest", *nearest.astype(int))
print("with 0.5 added: nearest", *moved.astype(int))

ys, xs = np.mgrid[:101, :101].astype(np.float32)
disk = ((xs - 50) ** 2 + (ys - 50) ** 2 < 900).astype(np.float32)
points = np.stack([xs, ys], axis=2) + np.random.default_rng(0).uniform(-2, 2, (101, 101, 2))
centers = []
for name in ("bilinear", "nearest"):
    warped = read(disk, points, name)
    centers.append(np.array([(warped * xs).sum(), (warped * ys).sum()]) / warped.sum())
apart = centers[1] - centers[0]
print("a disk, moved by random displacements: centers of image and labels are", end=" ")
print(f"({apart[0]:.2f}, {apart[1]:.2f}) pixels apart")
as_seen = np.abs(bilinear - XS).max() < 0.01 and nearest.tolist() == [2] * 4 and moved.tolist() == [2, 2, 3, 3]
sys.exit(not (as_seen and np.abs(apart - 0.5).max() < 0.1))
PY
