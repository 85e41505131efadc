#!/usr/bin/env bash
# nitransforms: a displacement field of ITK is read by a cubic spline that fades at its edges, not linearly.
#
# Expected: a field that moves every point by (1, 2, 3) mm does so everywhere between its samples: ITK, ANTs and SimpleITK
#   interpolate fields linearly.
# Happens: half a sample from an edge the displacement is off by a twentieth, since cubic interpolation takes everything
#   outside of the field for 0. Of a field of noise it is off by a quarter of the largest displacement.
# Seen with Python 3.11.7, nitransforms 25.1.0, SimpleITK 2.5.7, numpy 2.2.6, scipy 1.15.3:
#   constant: largest difference 0.158 mm, of displacements up to 3.0 mm
#   noise: largest difference 1.037 mm, of displacements up to 3.8 mm
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet nitransforms==25.1.0 SimpleITK==2.5.7 numpy==2.2.6 scipy==1.15.3; } || exit 2
venv/bin/python -W ignore - <<'PY'
import nitransforms as nt
import numpy as np
import SimpleITK as sitk

shape = (6, 7, 8)  # z, y, x
points = np.random.default_rng(0).uniform([0.5, 0.5, 0.5], [6.5, 5.5, 4.5], (500, 3))  # x, y, z, inside of the field
fields = {"constant": np.broadcast_to([1.0, 2.0, 3.0], (*shape, 3)), "noise": np.random.default_rng(1).normal(size=(*shape, 3))}
worst = {}
for name, field in fields.items():
    image = sitk.GetImageFromArray(np.ascontiguousarray(field), isVector=True)
    moved = sitk.DisplacementFieldTransform(sitk.Image(image))
    sitk.WriteTransform(sitk.CompositeTransform([moved]), f"{name}.h5")
    expected = np.array([moved.TransformPoint(point) for point in points.tolist()])
    flip = np.array([-1.0, -1.0, 1.0])  # ITK counts to the left and back, nitransforms to the right and front
    got = nt.manip.load(f"{name}.h5", fmt="itk").map(points * flip) * flip
    worst[name] = np.abs(got - expected).max()
    print(f"{name}: largest difference {worst[name]:.3f} mm, of displacements up to {np.abs(field).max():.1f} mm")
assert 0.001 < worst["constant"]
assert 0.1 < worst["noise"]
PY
