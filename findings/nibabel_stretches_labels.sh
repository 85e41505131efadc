#!/usr/bin/env bash
# nibabel: warped labels or displacements that are saved with the header of an image are stretched to its 8 or 16 bits.
#
# Expected: `Nifti1Image(array, affine, header)` stores the array's dtype, or values that fit the header's as they are.
# Happens: the dtype of the header wins, and a floating-point array is stretched so that its range fills it. Of labels
#   0, 3 and 200, which any uint8 holds, 3 comes back as 3.137: a comparison with 3 finds no voxel, until they are
#   rounded. A displacement field with the header of an image of uint8 has 256 values. Integer arrays are stored as they
#   are, and tests with these pass. No error, no warning; `dtype=array.dtype` stores the array.
# Seen with Python 3.11.7, nibabel 5.4.2, numpy 2.4.6:
#   labels 0, 3, 200 as float64: read as 0, 3.137, 200
#   labels 0, 3, 200 as uint8: read as 0, 3, 200
#   labels 0, 3, 200 as float64, dtype given: read as 0, 3, 200
#   displacements of up to 11.7, header of uint8: off by up to 0.041
#   displacements of up to 11.7, header of int16: off by up to 0.00016
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet nibabel==5.4.2 numpy==2.4.6; } || exit 2
venv/bin/python - <<'PY'
import sys

import nibabel
import numpy as np


def saved(array, header_dtype, **options):
    reference = nibabel.Nifti1Image(np.zeros(array.shape[:3], dtype=header_dtype), np.eye(4))
    nibabel.Nifti1Image(array, reference.affine, reference.header, **options).to_filename("saved.nii")
    return nibabel.load("saved.nii").get_fdata()


labels = np.zeros((4, 5, 6), dtype=np.uint8)
labels[0], labels[1] = 3, 200
seen = []
for title, array, options, expected in (
    ("as float64", labels.astype(np.float64), {}, [0, 3.137, 200]),
    ("as uint8", labels, {}, [0, 3, 200]),
    ("as float64, dtype given", labels.astype(np.float64), {"dtype": np.float64}, [0, 3, 200]),
):
    values = np.unique(saved(array, np.uint8, **options))
    print(f"labels 0, 3, 200 {title}: read as", ", ".join(f"{value:.4g}" for value in values))
    seen.append(len(values) == 3 and np.abs(values - expected).max() < 0.001)
field = np.random.default_rng(0).normal(size=(5, 6, 7, 3)) * 3
for dtype, low, high in ((np.uint8, 0.02, 0.06), (np.int16, 5e-5, 3e-4)):
    error = float(np.abs(saved(field, dtype) - field).max())
    size = np.abs(field).max()
    print(f"displacements of up to {size:.1f}, header of {np.dtype(dtype)}: off by up to {error:.2g}")
    seen.append(low < error < high)
sys.exit(not all(seen))
PY
