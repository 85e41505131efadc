#!/usr/bin/env bash
# ANTsPy: fit_transform_to_paired_points with "affine" does not find an affine map that mirrors.
#
# Expected: points that an affine map has moved give back this map: "affine" is the least-squares fit, and only "rigid" and
#   "similarity" are without a mirror.
# Happens: the fitted matrix is taken apart into a rotation and a symmetric part, and the rotation is made proper before they
#   are multiplied again. Where the fit mirrors, or exchanges two axes, as points of another order of axes or of a flipped
#   image do, the result is another map: off by half of the extent of the points, without a warning.
# Seen with Python 3.11.7, antspyx 0.6.3, numpy 2.3.5; 30 random points in 100 mm, without noise, and the mean distance:
#   2 dimensions, a shear: off by 0.0, least squares by 0.0; determinant 1.00, the map's 1.00
#   2 dimensions, a mirror image: off by 55.6, least squares by 0.0; determinant 1.00, the map's -1.00
#   2 dimensions, two axes exchanged: off by 44.7, least squares by 0.0; determinant 1.00, the map's -1.00
#   3 dimensions, a shear: off by 0.0, least squares by 0.0; determinant 1.00, the map's 1.00
#   3 dimensions, a mirror image: off by 59.3, least squares by 0.0; determinant 1.00, the map's -1.00
#   3 dimensions, two axes exchanged: off by 59.5, least squares by 0.0; determinant 1.00, the map's -1.00
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

random = np.random.default_rng(0)
seen = []
for size in (2, 3):
    fixed = random.random((30, size)) * 100
    shear, mirror = np.eye(size), np.eye(size)
    shear[0, 1] = 0.3
    mirror[0, 0] = -1
    exchange = np.eye(size)[[1, 0, *range(2, size)]]
    for name, matrix in (("a shear", shear), ("a mirror image", mirror), ("two axes exchanged", exchange)):
        moving = fixed @ matrix.T + 5
        fitted = ants.fit_transform_to_paired_points(moving, fixed, transform_type="affine")
        off = np.linalg.norm([fitted.apply_to_point(tuple(point)) for point in fixed] - moving, axis=1)
        rows = np.c_[fixed, np.ones(len(fixed))]
        least = np.linalg.norm(rows @ np.linalg.lstsq(rows, moving, rcond=None)[0] - moving, axis=1)
        found = np.linalg.det(np.array(fitted.parameters[: size * size]).reshape(size, size))
        print(f"{size} dimensions, {name}: off by {off.mean():.1f}, least squares by {least.mean():.1f};", end=" ")
        print(f"determinant {found:.2f}, the map's {np.linalg.det(matrix):.2f}")
        seen.append(off.max() < 0.01 if name == "a shear" else off.mean() > 10 and found > 0)
sys.exit(not all(seen))
PY
