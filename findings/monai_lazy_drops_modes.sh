#!/usr/bin/env bash
# MONAI: with lazy=True transforms forget their modes: labels are interpolated, and a pad fills with 0.
#
# Expected: `Compose(lazy=True)` joins spatial transforms for speed and resamples once, with the interpolation and the
#   padding that each was given. Labels that are sent through "nearest" stay labels, and a CT that is padded by air, -1000,
#   has that border.
# Happens: neither the mode of a resampling nor that of a pad, with its value, is used when it is carried out lazily.
#   Labels come out with fractions, and the border is 0, soft tissue beside -1000 of air. No error, no warning.
# Seen with Python 3.11.7, torch 2.13.0+cpu, monai 1.6.1, numpy 2.4.6; labels 0 and 3, and a row 11 12 13 padded to 7:
#   Spacing, mode nearest, lazy=False: labels [0.0, 3.0]
#   Spacing, mode nearest, lazy=True: labels [0.0, 0.3, 0.6, 1.5, 1.8, 2.1, 2.4, 2.7]
#   SpatialPad, constant -1000, lazy=False: [-1000, -1000, 11, 12, 13, -1000, -1000]
#   SpatialPad, constant -1000, lazy=True: [0, 0, 11, 12, 13, 0, 0]
#   SpatialPad, edge, lazy=False: [11, 11, 11, 12, 13, 13, 13]
#   SpatialPad, edge, lazy=True: [0, 0, 11, 12, 13, 0, 0]
#   warnings: 0
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

labels = (torch.arange(6) % 2 * 3.0).expand(1, 4, 6)
image = torch.tensor([11.0, 12.0, 13.0]).expand(1, 5, 3)
pads = {"constant -1000": {"mode": "constant", "value": -1000}, "edge": {"mode": "edge"}}
classes, rows = {}, {}
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    for lazy in (False, True):
        spaced = M.Compose([M.Spacing((1.0, 0.7), mode="nearest")], lazy=lazy)(MetaTensor(labels.clone()))
        classes[lazy] = [round(value, 2) for value in spaced.unique().tolist()]
        print(f"Spacing, mode nearest, lazy={lazy}: labels {classes[lazy]}")
    for name, options in pads.items():
        for lazy in (False, True):
            padded = M.Compose([M.SpatialPad((5, 7), **options)], lazy=lazy)(MetaTensor(image.clone()))
            rows[name, lazy] = [round(value) for value in padded[0, 2].tolist()]
            print(f"SpatialPad, {name}, lazy={lazy}: {rows[name, lazy]}")
print(f"warnings: {len(told)}")
zeros = [0, 0, 11, 12, 13, 0, 0]
forgotten = all((row == zeros) == lazy for (_, lazy), row in rows.items())
sys.exit(not (classes[False] == [0, 3] and len(classes[True]) > 2 and forgotten and not told))
PY
