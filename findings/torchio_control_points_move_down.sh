#!/usr/bin/env bash
# TorchIO: control points of ElasticDeformation move the image along x and y, and against z.
#
# Expected: a displacement of 2 mm of all control points moves the image as `Affine(translation=...)` does, by 2 mm to the
#   right, to the front or to the top; or against it along each axis, if it is a map from output to input.
# Happens: it goes along x and y as Affine does, and the other way along z: the numbers are given to a transform of ITK, whose x
#   and y have the other sign (LPS), and whose map is from output to input. Two of three signs cancel. A field of
#   known motion, such as breathing, that is given as control points is turned upside down.
# Seen with Python 3.11.7, torch 2.13.0+cpu, torchio 1.2.1, simpleitk 2.5.7, numpy 2.4.6:
#   RAS: ElasticDeformation by (2, 2, 2) moves by [2.0, 2.0, -2.0] mm to the right, front and top,
#     Affine by [2.0, 2.0, 2.0]
#   LPS: ElasticDeformation by (2, 2, 2) moves by [2.0, 2.0, -2.0] mm to the right, front and top,
#     Affine by [2.0, 2.0, 2.0]
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet torch==2.13.0 torchio==1.2.1 simpleitk==2.5.7 numpy==2.4.6; } || exit 2
venv/bin/python - <<'PY'
import sys
import warnings

import numpy as np
import torch

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import torchio as tio

seen = []
for name, signs in (("RAS", (1.0, 1.0, 1.0)), ("LPS", (-1.0, -1.0, 1.0))):
    index = torch.stack(torch.meshgrid(*[torch.arange(24.0)] * 3, indexing="ij"))
    world = index * torch.tensor(signs)[:, None, None, None]
    image = tio.ScalarImage(tensor=world, affine=np.diag([*signs, 1.0]))  # each voxel tells its place in mm
    moved = {"ElasticDeformation": [], "Affine": []}
    for axis in range(3):
        points = np.zeros((7, 7, 7, 3), np.float32)
        points[..., axis] = 2
        shift = tuple(2.0 * (axis == other) for other in range(3))
        for transform in (
            tio.ElasticDeformation(control_points=points, max_displacement=(2.0,) * 3),
            tio.Affine(scales=1, degrees=0, translation=shift),
        ):
            out = (world - transform(image).data)[axis, 12, 12, 12]
            moved[type(transform).__name__].append(round(float(out), 3))
    print(f"{name}: ElasticDeformation by (2, 2, 2) moves by {moved['ElasticDeformation']} mm to the right, front and top,")
    print(f"  Affine by {moved['Affine']}")
    seen.append(moved["ElasticDeformation"] == [2, 2, -2] and moved["Affine"] == [2, 2, 2])
sys.exit(not all(seen))
PY
