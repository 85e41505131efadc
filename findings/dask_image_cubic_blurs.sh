#!/usr/bin/env bash
# dask-image: a warp with order=3 blurs, the identity too.
#
# Expected: `dask_image.ndinterp` gives what the functions of `scipy.ndimage` of the same names and arguments give: the
#   identity leaves an image as it is, and order=3 is sharper than order=1.
# Happens: the spline is taken of the pixels, and not of their coefficients, which amounts to a blur: the higher the order, the
#   stronger, in `affine_transform` and `rotate`, and in `map_coordinates` by default. A note in the documentation says that
#   there is no prefilter; `prefilter=True` is taken by all the same, in the mode constant.
# Seen with Python 3.11.7, dask-image 2026.5.0, dask 2026.8.0, scipy 1.17.1, numpy 2.4.6; white noise from 0 to 1, the
#   identity, largest difference from the image:
#   order 1: affine_transform 0.00, rotate 0.00, SciPy's 0.00
#   order 2: affine_transform 0.36, rotate 0.36, SciPy's 0.00
#   order 3: affine_transform 0.45, rotate 0.45, SciPy's 0.00
#   order 5: affine_transform 0.54, rotate 0.54, SciPy's 0.00
#   order 3, prefilter=True: affine_transform 0.00
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{
  python3 -m venv venv &&
    venv/bin/pip install --quiet dask-image==2026.5.0 dask==2026.8.0 scipy==1.17.1 numpy==2.4.6
} || exit 2
venv/bin/python -W ignore - <<'PY'
import sys

import dask.array as da
import numpy as np
from dask_image import ndinterp
from scipy import ndimage

image = np.random.default_rng(0).random((60, 60))
chunks = da.from_array(image, chunks=(20, 20))


def off(result):
    return float(np.abs(np.asarray(result) - image).max())


seen = []
for order in (1, 2, 3, 5):
    blurred = off(ndinterp.affine_transform(chunks, np.eye(2), order=order))
    turned = off(ndinterp.rotate(chunks, 0, order=order))
    exact = off(ndimage.affine_transform(image, np.eye(2), order=order))
    print(f"order {order}: affine_transform {blurred:.2f}, rotate {turned:.2f}, SciPy's {exact:.2f}")
    seen.append(exact < 1e-9 and ((blurred > 0.2 and turned > 0.2) if order > 1 else blurred < 1e-9))
filtered = off(ndinterp.affine_transform(chunks, np.eye(2), order=3, prefilter=True))
print(f"order 3, prefilter=True: affine_transform {filtered:.2f}")
sys.exit(not (all(seen) and filtered < 1e-6))
PY
