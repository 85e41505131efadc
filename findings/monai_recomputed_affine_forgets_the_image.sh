#!/usr/bin/env bash
# MONAI: Spacing with recompute_affine=True writes an affine that has lost the one of the image.
#
# Expected: the flag corrects for the rounding of the output's shape, as it is documented: by fractions of a voxel.
#   Spacing, direction and origin of the image stay in the affine.
# Happens: the affine becomes the scaling between the two shapes alone. The spacing is that of an image of 1 mm, the
#   direction is the identity, the origin is about 0. The voxels are those without the flag. An image whose voxels tell
#   their place is off by its origin and more, and what is resampled or saved by the affine later lies there.
# Seen with Python 3.11.7, torch 2.13.0+cpu, monai 1.6.1, numpy 2.4.6; a volume of 1.5 x 2 x 1 mm, to 2 mm:
#   recompute_affine=False: spacing [2.0, 2.0, 2.0], origin [30.0, -20.0, 5.0], voxels off by up to 0.0 mm
#   recompute_affine=True: spacing [1.33, 1.0, 1.9], origin [0.17, 0.0, 0.45], voxels off by up to 44.3 mm
#   the voxels are equal: True
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{
  python3 -m venv venv && venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6 packaging==26.3 &&
    venv/bin/pip install --quiet --no-deps monai==1.6.1
} || exit 2
venv/bin/python - <<'PY'
import sys
import warnings

import torch

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import monai.transforms as M
    from monai.data import MetaTensor

affine = torch.diag(torch.tensor([1.5, 2.0, 1.0, 1.0], dtype=torch.float64))
affine[:3, 3] = torch.tensor([30.0, -20.0, 5.0])


def places(affine, shape):
    index = torch.stack(torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in shape), indexing="ij"))
    return torch.einsum("ij,jxyz->ixyz", affine[:3, :3], index) + affine[:3, 3, None, None, None]


volume = MetaTensor(places(affine, (20, 24, 19)), affine=affine)  # each voxel tells its place
seen = {}
for recompute in (False, True):
    out = M.Spacing((2.0, 2.0, 2.0), padding_mode="border", recompute_affine=recompute)(volume.clone())
    found = torch.as_tensor(out.affine).double()
    off = float((out.as_tensor() - places(found, out.shape[1:])).norm(dim=0).max())
    seen[recompute] = out.as_tensor(), off
    spacing = [round(value, 2) for value in found[:3, :3].norm(dim=0).tolist()]
    origin = [round(value, 2) for value in found[:3, 3].tolist()]
    print(f"recompute_affine={recompute}: spacing {spacing}, origin {origin}, voxels off by up to {off:.1f} mm")
same = torch.equal(seen[False][0], seen[True][0])
print(f"the voxels are equal: {same}")
sys.exit(not (seen[False][1] < 0.01 and seen[True][1] > 20 and same))
PY
