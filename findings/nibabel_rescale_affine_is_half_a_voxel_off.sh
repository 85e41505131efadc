#!/usr/bin/env bash
# nibabel: the affine of rescale_affine puts a resized volume half a voxel beside the original.
#
# Expected: as documented, `rescale_affine(affine, shape, zooms, new_shape)` keeps the center of the volume, so that it is the
#   affine of the same volume resized to `new_shape`.
# Happens: it keeps the place of a whole voxel, (n - 1) // 2, and not that of the center, (n - 1) / 2. Of two even sizes the
#   center moves by half of the difference of the voxels, of an even and an odd one by half a voxel of the even one. Between
#   odd sizes, in which one draws it, there is nothing to see.
# Seen with Python 3.11.7, nibabel 5.4.2, scipy 1.17.1, numpy 2.4.6; a blob, and the same resized in place, by means over
#   boxes or by zoom:
#   45 voxels of 1 mm to 15 of 3 mm: the blob moves by 0.00 mm along each axis
#   64 voxels of 1 mm to 32 of 2 mm: the blob moves by 0.50 mm along each axis
#   64 voxels of 1 mm to 16 of 4 mm: the blob moves by 1.50 mm along each axis
#   48 voxels of 2 mm to 96 of 1 mm: the blob moves by -0.50 mm along each axis
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{
  python3 -m venv venv && venv/bin/pip install --quiet nibabel==5.4.2 scipy==1.17.1 numpy==2.4.6
} || exit 2
venv/bin/python - <<'PY'
import sys

import numpy as np
from nibabel.affines import apply_affine, rescale_affine
from scipy import ndimage


def center(volume, affine):
    return float(apply_affine(affine, ndimage.center_of_mass(volume))[0])


offs = []
for size, resized, spacing in ((45, 15, 1.0), (64, 32, 1.0), (64, 16, 1.0), (48, 96, 2.0)):
    affine = np.diag([spacing, spacing, spacing, 1.0])
    axis = np.arange(size) - size * 0.45
    volume = np.exp(-(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2) / (size / 8) ** 2)
    ratio = size / resized
    # Both resize without moving anything: the outer edges stay where they are.
    if ratio > 1:
        factor = int(ratio)
        other = volume.reshape(resized, factor, resized, factor, resized, factor).mean((1, 3, 5))
    else:
        other = ndimage.zoom(volume, 1 / ratio, order=1, mode="nearest", grid_mode=True)
    zooms = (spacing * ratio,) * 3
    rescaled = rescale_affine(affine, volume.shape, zooms, other.shape)
    offs.append(center(other, rescaled) - center(volume, affine))
    print(f"{size} voxels of {spacing:g} mm to {resized} of {zooms[0]:g} mm: ", end="")
    print(f"the blob moves by {offs[-1]:.2f} mm along each axis")
sys.exit(not np.allclose(offs, [0, 0.5, 1.5, -0.5], atol=0.02))
PY
