#!/usr/bin/env bash
# SimpleITK: Shrink by an even factor states a place for its voxels that is not where their values come from.
#
# Expected: `Shrink` is a subsample, and the origin that it writes is the place of the voxel that it took: resampled
#   onto the original, the small image lies on it.
# Happens: the origin is chosen so that both images have one center. For even factors that is the middle between two
#   voxels, but the value is the one of the voxel after it. So the image is moved by half a voxel of the original
#   toward the origin, in each direction. Odd factors are right, and so is BinShrink, which averages.
# Seen with Python 3.11.7, simpleitk 2.5.7, numpy 2.4.6; a ramp whose value is its place in mm:
#   Shrink by 2: the value 1.0 is said to be at 0.5 mm; BinShrink: 0.5 at 0.5 mm
#   Shrink by 3: the value 1.0 is said to be at 1.0 mm; BinShrink: 1.0 at 1.0 mm
#   Shrink by 4: the value 2.0 is said to be at 1.5 mm; BinShrink: 1.5 at 1.5 mm
#   a blob at (30, 34), shrunk by 2 and resampled onto the original: at (29.50, 33.50)
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet simpleitk==2.5.7 numpy==2.4.6; } || exit 2
venv/bin/python - <<'PY'
import sys

import numpy as np
import SimpleITK as sitk

ramp = sitk.GetImageFromArray(np.tile(np.arange(24.0), (24, 1)))
seen = []
for factor in (2, 3, 4):
    found = []
    for shrink in (sitk.Shrink, sitk.BinShrink):
        small = shrink(ramp, [factor, factor])
        found.append((small[0, 0], small.TransformIndexToPhysicalPoint((0, 0))[0]))
    (value, place), (mean, middle) = found
    print(f"Shrink by {factor}: the value {value:.1f} is said to be at {place:.1f} mm;", end=" ")
    print(f"BinShrink: {mean:.1f} at {middle:.1f} mm")
    seen.append((value - place, mean - middle))
blob = sitk.GaussianSource(sitk.sitkFloat64, [64, 64], sigma=[6, 6], mean=[30, 34], scale=1)
again = sitk.Resample(sitk.Shrink(blob, [2, 2]), blob, sitk.Transform(), sitk.sitkBSpline)
ys, xs = np.mgrid[:64, :64]
pixels = sitk.GetArrayFromImage(again)
center = [(pixels * axis).sum() / pixels.sum() for axis in (xs, ys)]
print(f"a blob at (30, 34), shrunk by 2 and resampled onto the original: at ({center[0]:.2f}, {center[1]:.2f})")
as_seen = [abs(off[0] - expected) < 1e-6 and abs(off[1]) < 1e-6 for off, expected in zip(seen, (0.5, 0, 0.5))]
sys.exit(not (all(as_seen) and abs(center[0] - 29.5) < 0.05 and abs(center[1] - 33.5) < 0.05))
PY
