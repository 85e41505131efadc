#!/usr/bin/env bash
# kornia: get_shear_matrix3d moves the center that it is given, as soon as there are two shears.
#
# Expected: a shear about a center leaves the center where it is, as get_shear_matrix2d does.
# Happens: with one shear the center is a fixed point; with two or more it is not, by the products of two shears times
#   the center's coordinates: more than a voxel at 10 voxels from the origin.
# Seen with Python 3.11.7, kornia 0.9.0, torch 2.13.0+cpu; the center is (5, 7, 9):
#   one shear:   [5.0, 7.0, 9.0]
#   two shears:  [5.0, 7.43, 9.0]
#   six shears:  [6.42, 7.07, 8.68]
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet torch==2.13.0 kornia==0.9.0 numpy==2.4.6; } || exit 2
venv/bin/python - <<'PY'
import sys

import torch
from kornia.geometry.transform import get_shear_matrix3d

CENTER = torch.tensor([[5.0, 7.0, 9.0]])
SHEARS = {
    "one shear:  ": [0.1, 0, 0, 0, 0, 0],
    "two shears: ": [0.1, 0, 0.3, 0, 0, 0],
    "six shears: ": [0.1, 0.2, 0.3, -0.1, -0.2, 0.25],
}
moved = []
for name, shears in SHEARS.items():
    matrix = get_shear_matrix3d(CENTER, *[torch.tensor([float(shear)]) for shear in shears])[0]
    image = (matrix @ torch.tensor([*CENTER[0], 1.0]))[:3]
    moved.append(float((image - CENTER[0]).norm()))
    print(name, [round(x, 2) for x in image.tolist()])
sys.exit(not (moved[0] < 1e-5 and min(moved[1:]) > 0.1))
PY
