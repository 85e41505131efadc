#!/usr/bin/env bash
# rioxarray: bounds and corner of an image that was thinned out or coarsened are of no image.
#
# Expected: `rio.bounds()` and `rio.transform()` follow the coordinates: those of the pixels that are left, or, if they are
#   remembered, those of the whole image.
# Happens: the resolution is remembered, the outermost centers are read anew. The box is half of the old pixel around the new
#   centers: too small on each side by half of the difference, and its corner is neither the old nor the new one. Cropping
#   alone is right, because the resolution stays. With recalc=True all are right, and so is a file that is written.
# Seen with Python 3.11.7, rioxarray 0.19.0, rasterio 1.4.4, affine 3.0.1, numpy 2.4.6; 30 × 20 pixels of 1 m:
#   image: resolution (1.0, -1.0), bounds (10.0, 80.0, 40.0, 100.0), corner (10.0, 100.0); with recalc=True bounds
#     (10.0, 80.0, 40.0, 100.0)
#   coarsen by 2: resolution (1.0, -1.0), bounds (10.5, 80.5, 39.5, 99.5), corner (10.5, 99.5); with recalc=True bounds
#     (10.0, 80.0, 40.0, 100.0)
#   every 5th pixel: resolution (1.0, -1.0), bounds (12.0, 82.0, 38.0, 98.0), corner (12.0, 98.0); with recalc=True bounds
#     (10.0, 80.0, 40.0, 100.0)
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{
  python3 -m venv venv && venv/bin/pip install --quiet rioxarray==0.19.0 rasterio==1.4.4 affine==3.0.1 numpy==2.4.6
} || exit 2
venv/bin/python - <<'PY'
import sys

import numpy as np
import rioxarray  # noqa: F401
import xarray
from affine import Affine

image = xarray.DataArray(
    np.random.default_rng(0).random((20, 30)),
    dims=("y", "x"),
    coords={"y": 99.5 - np.arange(20.0), "x": 10.5 + np.arange(30.0)},
)
image = image.rio.write_crs("EPSG:32633").rio.write_transform(Affine(1, 0, 10, 0, -1, 100))
seen = []
for name, part, expected in (
    ("image", image, (10.0, 80.0, 40.0, 100.0)),
    ("coarsen by 2", image.coarsen(x=2, y=2).mean(), (10.0, 80.0, 40.0, 100.0)),
    ("every 5th pixel", image[2::5, 2::5], (10.0, 80.0, 40.0, 100.0)),
):
    bounds, again = part.rio.bounds(), part.rio.bounds(recalc=True)
    corner = part.rio.transform()
    print(f"{name}: resolution {part.rio.resolution()}, bounds {bounds}, corner ({corner.c}, {corner.f});", end=" ")
    print(f"with recalc=True bounds {again}")
    seen.append((bounds == expected, again == expected))
sys.exit(seen != [(True, True), (False, True), (False, True)])
PY
