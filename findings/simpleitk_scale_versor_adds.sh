#!/usr/bin/env bash
# ITK: ScaleVersor3DTransform adds the scales to its rotation instead of multiplying by them.
#
# Expected: a rotation R and scales s make the matrix R·diag(s) or diag(s)·R, with the determinant s0·s1·s2.
# Happens: it is R + diag(s) - I, and ScaleSkewVersor3DTransform likewise: right where R or s is the identity, wrong for
#   both together. Their parameters mean no scales then, and the matrix may be singular. Only
#   ComposeScaleSkewVersor3DTransform multiplies. No warning; files and registrations with them hold such matrices.
# Seen with Python 3.11.7, SimpleITK 2.5.7, numpy 2.4.6; 90 degrees about z, scales 2, 3, 4, determinant expected: 24
#   ScaleVersor3DTransform: [[1, -1, 0], [1, 2, 0], [0, 0, 4]], determinant 12
#   ScaleSkewVersor3DTransform: [[1, -1, 0], [1, 2, 0], [0, 0, 4]], determinant 12
#   ComposeScaleSkewVersor3DTransform: [[0, -3, 0], [2, 0, 0], [0, 0, 4]], determinant 24
#   ScaleVersor3DTransform, 180 degrees, scales 2, 2, 1: determinant 0
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


def matrix_of(name, degrees, scales):
    transform = getattr(sitk, name)()
    transform.SetRotation((0.0, 0.0, 1.0), np.radians(degrees))
    transform.SetScale(scales)
    return np.reshape(transform.GetMatrix(), (3, 3))


SCALES = (2.0, 3.0, 4.0)
TURN = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
SUM = TURN + np.diag(SCALES) - np.eye(3)
seen = []
for name, expected in (
    ("ScaleVersor3DTransform", SUM),
    ("ScaleSkewVersor3DTransform", SUM),
    ("ComposeScaleSkewVersor3DTransform", TURN @ np.diag(SCALES)),
):
    matrix = matrix_of(name, 90.0, SCALES)
    seen.append(np.abs(matrix - expected).max() < 1e-9)
    rows = np.rint(matrix).astype(int).tolist()
    print(f"{name}: {rows}, determinant {np.linalg.det(matrix):.0f}")
singular = np.linalg.det(matrix_of("ScaleVersor3DTransform", 180.0, (2.0, 2.0, 1.0)))
print(f"ScaleVersor3DTransform, 180 degrees, scales 2, 2, 1: determinant {abs(singular):.0f}")
sys.exit(not (all(seen) and abs(singular) < 1e-9))
PY
