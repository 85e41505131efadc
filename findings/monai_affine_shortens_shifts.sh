#!/usr/bin/env bash
# MONAI: Affine with align_corners=True translates by less than it is told, and than its affine says.
#
# Expected: `Affine(translate_params=(5, 0))` translates by 5 voxels, in either convention of corners, as it rotates, scales
#   and shears by the same angles and factors in both. The affine of the result says where its voxels come from.
# Happens: with align_corners=True the shift is multiplied by (n - 1) / n, with n voxels on the axis: 4.75 of 5 voxels for
#   20, 4.375 for 8. The affine of the result says 5: it is off by up to 5/8 voxel. Rotation, scale and shear are equal in
#   both conventions, and right.
# Seen with Python 3.11.7, torch 2.13.0+cpu, monai 1.6.1, numpy 2.4.6; images whose values are their indices:
#   8 × 8, translate_params=(5, 0): False moves by 5, True by 4.375; the affine says 5, 5
#   20 × 20, translate_params=(5, 0): False moves by 5, True by 4.75; the affine says 5, 5
#   64 × 64, translate_params=(5, 0): False moves by 5, True by 4.922; the affine says 5, 5
#   20 × 20, a rotation, a scale or a shear: False and True differ by at most 0.0000 voxel
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


def image(side):
    return torch.stack(torch.meshgrid(torch.arange(float(side)), torch.arange(float(side)), indexing="ij"))


def moved(side, corners, **options):
    transform = M.Affine(padding_mode="border", align_corners=corners, image_only=True, **options)
    return transform(MetaTensor(image(side), affine=torch.eye(4)))


seen = []
for side in (8, 20, 64):
    shifts, said = [], []
    for corners in (False, True):
        out = moved(side, corners, translate_params=(5.0, 0.0))
        shifts.append(float(out.as_tensor()[0, 1, side // 2]) - 1)
        said.append(float(out.affine[0, -1]))
    print(f"{side} × {side}, translate_params=(5, 0): False moves by {shifts[0]:.4g}, True by {shifts[1]:.4g};", end=" ")
    print("the affine says {:.4g}, {:.4g}".format(*said))
    seen.append(abs(shifts[0] - 5) < 1e-3 and abs(shifts[1] - 5 * (side - 1) / side) < 1e-3)
    seen.append(max(abs(value - 5) for value in said) < 1e-6)
largest = 0.0
for options in ({"rotate_params": 0.5}, {"scale_params": (0.8, 0.9)}, {"shear_params": (0.2, 0.0)}):
    pair = [moved(20, corners, **options).as_tensor()[:, 5:-5, 5:-5] for corners in (False, True)]
    largest = max(largest, float((pair[0] - pair[1]).abs().max()))
print(f"20 × 20, a rotation, a scale or a shear: False and True differ by at most {largest:.4f} voxel")
sys.exit(not (all(seen) and largest < 1e-3))
PY
