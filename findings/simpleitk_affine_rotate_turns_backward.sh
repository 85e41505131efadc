#!/usr/bin/env bash
# SimpleITK: AffineTransform.Rotate turns the other way than Euler2DTransform and Euler3DTransform.
#
# Expected: `AffineTransform(2).Rotate(0, 1, angle)` is `Euler2DTransform((0, 0), angle)`: a rotation that takes the
#   first axis that is named toward the second, counterclockwise for a positive angle. Started from such a guess,
#   an affine registration goes on where the rigid one ended.
# Happens: it takes the second axis toward the first: the matrix is the transposed one. In three dimensions
#   Rotate(0, 1, angle) and Rotate(1, 2, angle) are rotations by -angle about z and x, while Rotate(0, 2, angle) is one
#   by +angle about y, in the sense of Euler3DTransform. The description of the method in Python is empty.
# Seen with Python 3.11.7, simpleitk 2.5.7, numpy 2.4.6; the angle is 30 degrees:
#   two dimensions: (1, 0) goes to (0.87, -0.50) by Rotate(0, 1), to (0.87, 0.50) by Euler2DTransform
#   Rotate(0, 1) is a rotation by -30 degrees about z
#   Rotate(1, 2) is a rotation by -30 degrees about x
#   Rotate(0, 2) is a rotation by 30 degrees about y
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet simpleitk==2.5.7 numpy==2.4.6; } || exit 2
venv/bin/python - <<'PY'
import math
import sys

import numpy as np
import SimpleITK as sitk

ANGLE = math.radians(30)
affine = sitk.AffineTransform(2)
affine.Rotate(0, 1, ANGLE)
ends = [np.array(t.TransformPoint((1.0, 0.0))) for t in (affine, sitk.Euler2DTransform((0, 0), ANGLE))]
print("two dimensions: (1, 0) goes to ({:.2f}, {:.2f}) by Rotate(0, 1),".format(*ends[0]), end=" ")
print("to ({:.2f}, {:.2f}) by Euler2DTransform".format(*ends[1]))
seen = [abs(ends[0][1] + 0.5) < 1e-9 and abs(ends[1][1] - 0.5) < 1e-9]
for axes, about, sign in (((0, 1), "z", -1), ((1, 2), "x", -1), ((0, 2), "y", 1)):
    affine = sitk.AffineTransform(3)
    affine.Rotate(*axes, ANGLE)
    found = []
    for angle in (ANGLE, -ANGLE):
        euler = sitk.Euler3DTransform()
        euler.SetRotation(*(angle * (axis == about) for axis in "xyz"))
        if np.allclose(affine.GetMatrix(), euler.GetMatrix()):
            found.append(round(math.degrees(angle)))
    print(f"Rotate{axes} is a rotation by {found[0]} degrees about {about}")
    seen.append(found == [sign * 30])
sys.exit(not all(seen))
PY
