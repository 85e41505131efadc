#!/usr/bin/env bash
# ITK: the Jacobian determinant of a displacement field is wrong where the image has a direction.
#
# Expected: DisplacementFieldJacobianDeterminant of a field is that of its DisplacementFieldTransform, in physical space as
#   the displacements are. It honors the spacing, and its option UseImageSpacing names no other condition.
# Happens: it differentiates along the axes of the array, and adds these numbers to displacements along the axes of space.
#   An image with another direction than the identity, such as the (-1, -1, 1) of many NIfTI files, gets other
#   determinants: a field that shrinks is reported to expand, and folds are missed or invented.
# Seen with Python 3.11.7, SimpleITK 2.5.7, numpy 2.4.6; the displacement A p, with 1.2 x 0.7 = 0.84 everywhere:
#   direction [1, 0, 0, 1]: by points 0.84, by the filter 0.84
#   direction [-1, 0, 0, -1]: by points 0.84, by the filter 1.04
#   direction [0, 1, 1, 0]: by points 0.84, by the filter 1.56
#   a fold, direction [-1, 0, 0, -1]: by points -0.20, by the filter 2.20
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet SimpleITK==2.5.7 numpy==2.4.6; } || exit 2
venv/bin/python - <<'PY'
import sys

import numpy as np
import SimpleITK as sitk

WIDTH, HEIGHT = 20, 24


def determinants(direction, linear):
    """By differences of transformed points, and by the filter, in the middle of the image."""
    lattice = sitk.Image([WIDTH, HEIGHT], sitk.sitkUInt8)
    lattice.SetDirection(direction)
    lattice.SetSpacing((2.0, 0.5))
    array = np.empty((HEIGHT, WIDTH, 2))
    for row in range(HEIGHT):
        for column in range(WIDTH):
            array[row, column] = linear @ np.array(lattice.TransformIndexToPhysicalPoint((column, row)))
    field = sitk.GetImageFromArray(array, isVector=True)
    field.CopyInformation(lattice)
    by_filter = sitk.DisplacementFieldJacobianDeterminant(field)[WIDTH // 2, HEIGHT // 2]
    middle = np.array(field.TransformIndexToPhysicalPoint((WIDTH // 2, HEIGHT // 2)))
    transform = sitk.DisplacementFieldTransform(field)  # empties `field`
    moved = np.array([transform.TransformPoint(middle + step) for step in (np.zeros(2), [0.1, 0.0], [0.0, 0.1])])
    return float(np.linalg.det((moved[1:] - moved[0]).T / 0.1)), float(by_filter)


MAP = np.array([[0.2, 0.5], [0.0, -0.3]])
FOLD = np.array([[-1.2, 0.0], [0.0, 0.0]])
seen = []
for title, direction, linear, expected in (
    ("", [1, 0, 0, 1], MAP, (0.84, 0.84)),
    ("", [-1, 0, 0, -1], MAP, (0.84, 1.04)),
    ("", [0, 1, 1, 0], MAP, (0.84, 1.56)),
    ("a fold, ", [-1, 0, 0, -1], FOLD, (-0.2, 2.2)),
):
    found = determinants(direction, linear)
    seen.append(np.allclose(found, expected, atol=1e-6))
    print(f"{title}direction {direction}: by points {found[0]:.2f}, by the filter {found[1]:.2f}")
sys.exit(not all(seen))
PY
