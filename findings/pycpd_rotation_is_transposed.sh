#!/usr/bin/env bash
# pycpd: the rotation and the matrix that a registration returns are the transposed ones.
#
# Expected: `TY, (s, R, t) = RigidRegistration(X=X, Y=Y).register()` takes a point y to s·R·y + t, and an affine registration
#   takes it to B·y + t.
# Happens: to s·Rᵀ·y + t, and Bᵀ·y + t: points are rows, with the matrix on their right. R is a rotation in either reading, so
#   that nothing tells: it turns backward. The result TY and the translation are right.
# Seen with Python 3.11.7, pycpd 2.0.0, numpy 2.4.6; points, and the same turned by 10 degrees and moved:
#   RigidRegistration: turned by 10 degrees, its matrix by -10.0
#     off by 0.000, with the matrix by 0.346, with the transposed one by 0.000
#   AffineRegistration: turned by 10 degrees, its matrix by -10.0
#     off by 0.000, with the matrix by 0.346, with the transposed one by 0.000
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet pycpd==2.0.0 numpy==2.4.6; } || exit 2
venv/bin/python - <<'PY'
import sys

import numpy as np
from pycpd import AffineRegistration, RigidRegistration

moving = np.random.default_rng(0).random((40, 2))
angle = np.deg2rad(10)
turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
fixed = moving @ turn.T + [0.1, 0.2]  # each point y goes to turn · y + t
seen = []
for name, kind in (("RigidRegistration", RigidRegistration), ("AffineRegistration", AffineRegistration)):
    moved, parameters = kind(X=fixed, Y=moving).register()
    matrix, shift = (parameters[0] * parameters[1], parameters[2]) if name.startswith("Rigid") else parameters
    degrees = np.rad2deg(np.arctan2(matrix[1, 0] - matrix[0, 1], matrix[0, 0] + matrix[1, 1]))
    errors = [np.abs(found - fixed).max() for found in (moved, moving @ matrix.T + shift, moving @ matrix + shift)]
    print(f"{name}: turned by 10 degrees, its matrix by {degrees:.1f}")
    print(f"  off by {errors[0]:.3f}, with the matrix by {errors[1]:.3f}, with the transposed one by {errors[2]:.3f}")
    seen.append(errors[0] < 0.01 and errors[1] > 0.2 and errors[2] < 0.01)
sys.exit(not all(seen))
PY
