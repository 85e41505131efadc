#!/usr/bin/env bash
# ANTsPy: Affine3D(matrix) applies the transposed matrix.
#
# Expected: `ants.contrib.Affine3D` of a 3×4 array takes a point p to A·p + t, with A its first three columns and t the last,
#   as its example says of t.
# Happens: it takes p to Aᵀ·p + t. Arrays of two dimensions are flattened by columns, and ITK reads the nine numbers by rows;
#   the shift, which comes last in both, is right. So are scales and shifts, with which one tests first. Rotations turn
#   backward, shears go along the other axis. `set_parameters` of the array does it, so Affine2D and the matrices of Rotate
#   and Shear go through it too.
# Seen with Python 3.11.7, antspyx 0.6.3, numpy 2.3.5:
#   matrix · [10.0, 20.0, 30.0] is [20.0, 20.0, 31.0], by its transposed part [10.0, 25.0, 31.0]
#   Affine3D(matrix) takes it to [10.0, 25.0, 31.0]
#   set_parameters(matrix) takes it to [10.0, 25.0, 31.0]
#   set_parameters of a list, the 9 by rows and the shift takes it to [20.0, 20.0, 31.0]
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet antspyx==0.6.3 numpy==2.3.5; } || exit 2
venv/bin/python - <<'PY'
import sys

import ants
import numpy as np

# x, y and z go to x + 0.5 y, y and z + 1.
matrix = np.array([[1.0, 0.5, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]])
point = np.array([10.0, 20.0, 30.0])
right = matrix[:, :3] @ point + matrix[:, 3]
transposed = matrix[:, :3].T @ point + matrix[:, 3]
print(f"matrix · {point.tolist()} is {right.tolist()}, by its transposed part {transposed.tolist()}")
affine = ants.contrib.Affine3D(matrix).transform()
plain = ants.new_ants_transform(dimension=3, transform_type="AffineTransform")
plain.set_parameters(matrix)
listed = ants.new_ants_transform(dimension=3, transform_type="AffineTransform")
listed.set_parameters([*matrix[:, :3].ravel(), *matrix[:, 3]])
seen = []
for name, transform, expected in (
    ("Affine3D(matrix)", affine, transposed),
    ("set_parameters(matrix)", plain, transposed),
    ("set_parameters of a list, the 9 by rows and the shift", listed, right),
):
    found = np.array(transform.apply_to_point(point))
    print(f"{name} takes it to {found.round(3).tolist()}")
    seen.append(np.allclose(found, expected, atol=1e-4))
sys.exit(not all(seen))
PY
