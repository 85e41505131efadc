#!/usr/bin/env bash
# nitransforms: the .h5 file of one affine transform, as SimpleITK writes it, cannot be read.
#
# Expected: nitransforms.linear.load(file, fmt="itk") reads the same affine transform from ITK's .tfm and .h5 files, which
#   SimpleITK writes and reads alike.
# Happens: the .tfm is read, of the .h5 it says "need at least one array to stack": its reader for HDF5 looks for the
#   members of a CompositeTransform only. A composite with that transform alone can be read, by nitransforms.manip.load.
# Seen with Python 3.11.7, nitransforms 25.1.0, SimpleITK 2.5.7, numpy 2.2.6:
#   .tfm: shape (4, 4)
#   .h5 of one transform: ValueError
#   .h5 of a composite: 1 transform
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet nitransforms==25.1.0 SimpleITK==2.5.7 numpy==2.2.6; } || exit 2
venv/bin/python -W ignore - <<'PY'
import nitransforms as nt
import SimpleITK as sitk

affine = sitk.AffineTransform([1.0, 0.1, 0.0, 0.0, 1.0, 0.0, 0.0, 0.2, 1.0], [1.0, 2.0, 3.0])
sitk.WriteTransform(affine, "one.tfm")
sitk.WriteTransform(affine, "one.h5")
sitk.WriteTransform(sitk.CompositeTransform([affine]), "composite.h5")
assert sitk.ReadTransform("one.h5").TransformPoint((0.0, 0.0, 0.0)) == (1.0, 2.0, 3.0)

shape = nt.linear.load("one.tfm", fmt="itk").matrix.shape
print(".tfm: shape", shape)
try:
    nt.linear.load("one.h5", fmt="itk")
except ValueError as error:
    print(".h5 of one transform:", type(error).__name__)
else:
    raise AssertionError("the .h5 file of one transform was read")
members = nt.manip.load("composite.h5", fmt="itk").transforms
print(".h5 of a composite:", len(members), "transform")
assert shape == (4, 4)
assert len(members) == 1
PY
