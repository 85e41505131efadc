#!/usr/bin/env bash
# VoxelMorph: with align_corners=False a displacement of zero scales the image, and more steps integrate worse.
#
# Expected: align_corners of SpatialTransformer and IntegrateVelocityField is a convention: displacements are in voxels, so
#   that zero is the identity either way, and more steps of scaling and squaring approach the exponential.
# Happens: voxels are normalized as with align_corners=True, and only the reading follows the option. The image is scaled
#   about its center, by half a pixel at the border; integration applies that once more in every step.
# Seen with Python 3.11.7, torch 2.13.0+cpu, voxelmorph 0.3.4, neurite 0.3.4; largest distance in pixels:
#   True: a displacement of zero moves by 0.00, integration is off by 0.0105 with 5 steps, 0.0026 with 7, 0.0003 with 10
#   False: a displacement of zero moves by 0.48, integration is off by 0.0846 with 5 steps, 0.1138 with 7, 0.1700 with 10
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{
  python3 -m venv venv &&
    venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6 scipy==1.17.1 scikit-image==0.26.0 nibabel==5.4.2 h5py==3.16.0 \
      matplotlib==3.11.2 einops==0.8.2 tqdm==4.70.1 six==1.17.0 packaging==26.3 &&
    venv/bin/pip install --quiet --no-deps voxelmorph==0.3.4 neurite==0.3.4 pystrum==0.4
} || exit 2
venv/bin/python - <<'PY'
import sys

import torch
from voxelmorph.nn.modules import IntegrateVelocityField, SpatialTransformer

SIZE, MIDDLE = 64, slice(26, 38)
places = torch.stack(torch.meshgrid(torch.arange(float(SIZE)), torch.arange(float(SIZE)), indexing="ij"))
from_center = places - (SIZE - 1) / 2
rate = torch.tensor([[0.1, 0.3], [-0.3, 0.05]])
velocity = torch.einsum("ij,jyx->iyx", rate, from_center)[None]
exact = torch.einsum("ij,jyx->iyx", torch.linalg.matrix_exp(rate) - torch.eye(2), from_center)[None]

seen = {}
for align_corners in (True, False):
    still = SpatialTransformer(align_corners=align_corners)(places[None], torch.zeros(1, 2, SIZE, SIZE))
    inside = (still - places)[0, :, 1:-1, 1:-1]
    off = []
    for steps in (5, 7, 10):
        displacement = IntegrateVelocityField(steps=steps, align_corners=align_corners)(velocity)
        off.append(float((displacement - exact)[..., MIDDLE, MIDDLE].abs().max()))
    seen[align_corners] = float(inside.abs().max()), off
    told = ", ".join(f"{error:.4f} with {steps}" for error, steps in zip(off, ("5 steps", 7, 10), strict=True))
    print(f"{align_corners}: a displacement of zero moves by {seen[align_corners][0]:.2f}, integration is off by {told}")
(zero, good), (moved, bad) = seen[True], seen[False]
sys.exit(not (zero < 1e-3 and good[0] > good[1] > good[2] and 0.4 < moved < 0.55 and 0.05 < bad[0] < bad[1] < bad[2]))
PY
