#!/usr/bin/env bash
# SimpleITK: SetScale of a ScaleVersor3DTransform moves its center, until the transform is written and read.
#
# Expected: a transform that scales about a center without a translation leaves the center where it is, whichever of its
#   setters is called last, and computes what its parameters say.
# Happens: `SetScale`, and `SetSkew`, of ScaleVersor3DTransform and ScaleSkewVersor3DTransform change the matrix and leave
#   the offset as it was, so the center goes to twice its place for a scale of 2. Their getters tell the right center,
#   scale and translation. A copy by parameters, or one from a file, is right, so what was computed in one program
#   cannot be had again in the next. SetTranslation afterwards mends it.
#   Similarity3DTransform has no such state.
# Seen with Python 3.11.7, SimpleITK 2.5.7, numpy 2.4.6; center (10, 0, 0), no translation, scale 2: the center goes to
#   ScaleVersor3DTransform: (20, 0, 0); by its parameters (10, 0, 0), from its file (10, 0, 0)
#   ScaleSkewVersor3DTransform: (20, 0, 0); by its parameters (10, 0, 0), from its file (10, 0, 0)
#   Similarity3DTransform: (10, 0, 0); by its parameters (10, 0, 0), from its file (10, 0, 0)
#   with SetTranslation after SetScale: (10, 0, 0)
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

CENTER = (10.0, 0.0, 0.0)
STALE = ("ScaleVersor3DTransform", "ScaleSkewVersor3DTransform")


def scaled(name):
    transform = getattr(sitk, name)()
    transform.SetCenter(CENTER)
    transform.SetScale(2.0 if name == "Similarity3DTransform" else (2.0, 2.0, 2.0))
    assert transform.GetCenter() == CENTER and transform.GetTranslation() == (0.0, 0.0, 0.0)
    return transform


def shown(point):
    return "(" + ", ".join(f"{x:g}" for x in point) + ")"


as_seen = True
for name in (*STALE, "Similarity3DTransform"):
    transform, again = scaled(name), getattr(sitk, name)()
    again.SetFixedParameters(transform.GetFixedParameters())
    again.SetParameters(transform.GetParameters())
    sitk.WriteTransform(transform, f"{name}.tfm")
    points = [t.TransformPoint(CENTER) for t in (transform, again, sitk.ReadTransform(f"{name}.tfm"))]
    print(f"{name}: {shown(points[0])}; by its parameters {shown(points[1])}, from its file {shown(points[2])}")
    as_seen &= np.allclose(points, [(20.0 if name in STALE else 10.0, 0, 0), CENTER, CENTER])
mended = scaled(STALE[0])
mended.SetTranslation((0.0, 0.0, 0.0))
print("with SetTranslation after SetScale:", shown(mended.TransformPoint(CENTER)))
skewed = sitk.ScaleSkewVersor3DTransform()
skewed.SetCenter(CENTER)
skewed.SetSkew((0.5, 0.0, 0.5, 0.0, 0.0, 0.0))
as_seen &= not np.allclose(skewed.TransformPoint(CENTER), CENTER)
sys.exit(not (as_seen and np.allclose(mended.TransformPoint(CENTER), CENTER)))
PY
