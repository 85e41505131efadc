#!/usr/bin/env bash
# kornia: get_tps_transform gives no thin plate spline: it meets its points, and runs away between them.
#
# Expected: the map of `get_tps_transform(source, target)` and `warp_points_tps` is the thin plate spline of the pairs, the
#   smoothest map through them, as SciPy's is: the kernel is r² log(r), and each pair is met.
# Happens: the system is one of distances from source points to target points, where a spline has those among its source
#   points. Pairs are met and affine maps are right, but the rest is no smoothest map, and the system comes near to singular.
#   Where the points of a lattice are moved by a tenth of its spacing the map is off by a quarter of its largest
#   displacement, where they are moved by two fifths by four times all of it.
#   `warp_image_tps` and RandomThinPlateSpline use these weights.
# Seen with Python 3.11.7, torch 2.13.0+cpu, kornia 0.9.0, scipy 1.17.1, numpy 2.4.6; 4 × 4 points with normal random
#   shifts, 200 draws each, compared with SciPy's RBFInterpolator at 400 places between them:
#   shifts of 0.05 spacings: pairs met to 1e-08, elsewhere off by 0.12 of the largest displacement; 0 of 200 by more than it
#   shifts of 0.1 spacings: pairs met to 1e-08, elsewhere off by 0.28 of the largest displacement; 0 of 200 by more than it
#   shifts of 0.2 spacings: pairs met to 1e-08, elsewhere off by 0.69 of the largest displacement; 43 of 200 by more than it
#   shifts of 0.4 spacings: pairs met to 1e-08, elsewhere off by 4.41 of the largest displacement; 191 of 200 by more than it
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{
  python3 -m venv venv && venv/bin/pip install --quiet torch==2.13.0 scipy==1.17.1 numpy==2.4.6 packaging==26.3 &&
    venv/bin/pip install --quiet --no-deps kornia==0.9.0 kornia_rs==0.2.0
} || exit 2
venv/bin/python - <<'PY'
import sys

import numpy as np
import torch
from kornia.geometry.transform import get_tps_transform, warp_points_tps
from scipy.interpolate import RBFInterpolator

torch.set_default_dtype(torch.float64)
generator = torch.Generator().manual_seed(0)
ticks = torch.linspace(-0.8, 0.8, 4)
source = torch.stack(torch.meshgrid(ticks, ticks, indexing="xy"), -1).reshape(1, 16, 2)
places = torch.rand(1, 400, 2, generator=generator) * 1.6 - 0.8
medians, all_met = [], True
for share in (0.05, 0.1, 0.2, 0.4):
    errors = []
    for _ in range(200):
        target = source + share * 1.6 / 3 * torch.randn(source.shape, generator=generator)
        weights = get_tps_transform(source, target)
        met = float((warp_points_tps(source, target, *weights) - target).abs().max()) < 1e-8
        all_met = all_met and met
        theirs = warp_points_tps(places, target, *weights)[0].numpy()
        spline = RBFInterpolator(source[0].numpy(), target[0].numpy(), kernel="thin_plate_spline", degree=1)
        right = spline(places[0].numpy())
        displacement = np.linalg.norm(right - places[0].numpy(), axis=1).max()
        errors.append(np.linalg.norm(theirs - right, axis=1).max() / displacement)
    medians.append(float(np.median(errors)))
    print(f"shifts of {share:g} spacings: pairs {'met to 1e-08' if all_met else 'missed'}, elsewhere off by", end=" ")
    print(f"{medians[-1]:.2f} of the largest displacement; {sum(error > 1 for error in errors)} of 200 by more than it")
sys.exit(not (all_met and medians[0] > 0.05 and medians[1] > 0.1 and medians[2] > 0.3 and medians[3] > 1))
PY
