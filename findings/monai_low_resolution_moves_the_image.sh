#!/usr/bin/env bash
# MONAI: RandSimulateLowResolution moves the image, and labels stay.
#
# Expected: it takes detail away and leaves everything in its place. That is why it is applied to the image and not to its
#   labels.
# Happens: the default shrinks by "nearest", which reads the first pixel of each block, and enlarges by "trilinear", which
#   puts it in the middle: the image moves by (1/zoom - 1)/2 pixels along every axis, always in the same direction. With
#   the default range from 0.5 on that is up to half a voxel, at 0.25 it is 1.5. `downsample_mode="area"` does not move it.
# Seen with Python 3.11.7, torch 2.13.0+cpu, monai 1.6.1, numpy 2.4.6; mean shift of a volume of 32³ in voxels:
#   nearest (default), zoom 0.5: (0.50, 0.50, 0.50)
#   nearest (default), zoom 0.25: (1.50, 1.50, 1.50)
#   area, zoom 0.5: (0.00, 0.00, 0.00)
#   area, zoom 0.25: (0.00, 0.00, 0.00)
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

volume = torch.stack(torch.meshgrid(*[torch.arange(32.0)] * 3, indexing="ij"))  # each voxel tells its place
seen = []
for name, options, shifts in (
    ("nearest (default)", {}, {0.5: 0.5, 0.25: 1.5}),
    ("area", {"downsample_mode": "area"}, {0.5: 0.0, 0.25: 0.0}),
):
    for zoom, expected in shifts.items():
        out = M.RandSimulateLowResolution(prob=1.0, zoom_range=(zoom, zoom), **options)(volume)
        moved = (volume - torch.as_tensor(out))[:, 8:24, 8:24, 8:24].mean(dim=(1, 2, 3))
        seen.append(bool((moved - expected).abs().max() < 0.01))
        print(f"{name}, zoom {zoom}: ({', '.join(f'{round(value, 2) + 0:.2f}' for value in moved.tolist())})")
sys.exit(not all(seen))
PY
