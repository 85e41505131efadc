#!/usr/bin/env bash
# deepali: a rigid transform of an image that is no cube is not rigid.
#
# Expected: EulerRotation and RigidTransform, given the grid of an image with its size and spacing, turn the image in
#   space. A registration that fits one leaves lengths and angles as they are.
# Happens: the rotation is one of coordinates from -1 to 1, whose units have the length of the image's sides. On a grid
#   that is not as high as it is wide it shears: distances change by up to 13 % for 0.3 rad on 60 x 40 pixels. Only where
#   size times spacing is equal along all axes is the map rigid.
# Seen with Python 3.11.7, torch 2.13.0+cpu, hf-deepali 0.6.5, numpy 2.4.6; turned by 0.3 rad, the shortest and the longest
#   image of a unit vector, in units of space:
#   EulerRotation, 40 x 40 pixels of 1 x 1: 1.00 to 1.00
#   EulerRotation, 60 x 40 pixels of 1 x 1: 0.88 to 1.13
#   EulerRotation, 40 x 40 pixels of 1 x 2: 0.80 to 1.25
#   RigidTransform, 60 x 40 pixels of 1 x 1: 0.88 to 1.13
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{
  python3 -m venv venv &&
    venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6 scipy==1.17.1 hf-deepali==0.6.5 simpleitk==2.5.5
} || exit 2
venv/bin/python - <<'PY'
import sys
import warnings

import torch

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import deepali.spatial as spatial
    from deepali.core import Axes, Grid


def stretch(transform, grid):
    places = grid.transform_points(grid.coords(), axes=grid.axes(), to_axes=Axes.WORLD).movedim(-1, 0)
    read = spatial.ImageTransformer(transform)(places[None])[0].detach()  # where each pixel reads, in space
    middle = read[:, 20, 20]
    columns = [(read[:, 20, 21] - middle), (read[:, 21, 20] - middle)]
    jacobian = torch.stack([column / step for column, step in zip(columns, grid.spacing(), strict=True)], dim=1)
    sizes = torch.linalg.svdvals(jacobian.double())
    return float(sizes.min()), float(sizes.max())


seen = []
for name, size, spacing in (
    ("EulerRotation", (40, 40), (1.0, 1.0)),
    ("EulerRotation", (60, 40), (1.0, 1.0)),
    ("EulerRotation", (40, 40), (1.0, 2.0)),
    ("RigidTransform", (60, 40), (1.0, 1.0)),
):
    grid = Grid(size=size, spacing=spacing)
    transform = getattr(spatial, name)(grid)
    (transform.rotation if name == "RigidTransform" else transform).angles_(torch.tensor([[0.3]]))
    shortest, longest = stretch(transform, grid)
    seen.append(longest / shortest)
    shape, lengths = "{} x {}".format(*size), "{:g} x {:g}".format(*spacing)
    print(f"{name}, {shape} pixels of {lengths}: {shortest:.2f} to {longest:.2f}")
sys.exit(not (seen[0] < 1.001 and all(ratio > 1.2 for ratio in seen[1:])))
PY
