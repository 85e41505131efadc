#!/usr/bin/env bash
# SimpleITK: a rotation by 200 degrees is one by 160 in its parameters and in its file, the other way.
#
# Expected: `ReadTransform` of a file that `WriteTransform` wrote is the transform, and so is a new one with its
#   parameters: 200 degrees about an axis are -160 degrees, and each rotation has a versor.
# Happens: a versor transform that is set by an axis and an angle above 180 degrees keeps the quaternion of that angle,
#   whose scalar part is negative. Its parameters are the vector part alone, and who reads them takes the scalar part for
#   positive: the rotation by the remaining angle, in the other sense. Text and HDF5 files alike, without a warning.
# Seen with Python 3.11.7, SimpleITK 2.5.7, numpy 2.4.6; the point (1, 0, 0), turned about z by 200 degrees:
#   VersorTransform: (-0.94, -0.34, 0.00); by its parameters (-0.94, 0.34, 0.00), from its file (-0.94, 0.34, 0.00)
#   VersorRigid3DTransform: (-0.94, -0.34, 0.00); by its parameters (-0.94, 0.34, 0.00), from its file (-0.94, 0.34, 0.00)
#   Euler3DTransform: (-0.94, -0.34, 0.00); by its parameters (-0.94, -0.34, 0.00), from its file (-0.94, -0.34, 0.00)
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

POINT, TURN = (1.0, 0.0, 0.0), np.radians(200.0)


def shown(point):
    return "(" + ", ".join(f"{x + 0.0:.2f}" for x in np.round(point, 2)) + ")"


def versor(name):
    transform = getattr(sitk, name)()
    transform.SetRotation((0.0, 0.0, 1.0), TURN)
    return transform


euler = sitk.Euler3DTransform()
euler.SetRotation(0.0, 0.0, TURN)
seen = {}
for transform in (versor("VersorTransform"), versor("VersorRigid3DTransform"), euler):
    name = transform.GetName()
    again = getattr(sitk, name)()
    again.SetFixedParameters(transform.GetFixedParameters())
    again.SetParameters(transform.GetParameters())
    read = []
    for path in (f"{name}.tfm", f"{name}.h5"):
        sitk.WriteTransform(transform, path)
        read.append(sitk.ReadTransform(path).TransformPoint(POINT))
    own, told = transform.TransformPoint(POINT), again.TransformPoint(POINT)
    assert np.allclose(read[0], read[1])
    print(f"{name}: {shown(own)}; by its parameters {shown(told)}, from its file {shown(read[0])}")
    seen[name] = np.allclose(own, told), np.allclose(own, read[0])
expected = {"VersorTransform": (False, False), "VersorRigid3DTransform": (False, False), "Euler3DTransform": (True, True)}
sys.exit(seen != expected)
PY
