#!/usr/bin/env bash
# torch: under autocast affine_grid is bfloat16, and a spatial transformer with the identity moves pixels.
#
# Expected: autocast keeps coordinates in float32: grid_sample is on its list of operators that run so.
# Happens: affine_grid is on no list, and multiplies by bmm, which is on that of bfloat16. So even theta.float() gives a
#   bfloat16 grid, and only then grid_sample widens it: coordinates near the border have steps of 1/256, half a pixel of
#   224 and more of larger images. The result is float32. No error, no warning; float16 has an eighth of it.
# Seen with Python 3.11.7, torch 2.13.0+cpu, numpy 2.4.6; the identity, largest distance in pixels:
#   224 pixels, bfloat16: theta bfloat16, grid bfloat16, result float32, moved by 0.62
#   1024 pixels, bfloat16: theta bfloat16, grid bfloat16, result float32, moved by 1.50
#   224 pixels, float16: theta float16, grid float16, result float32, moved by 0.09
#   224 pixels, theta.float(): theta float32, grid bfloat16, result float32, moved by 0.19
#   224 pixels, autocast off: theta float32, grid float32, result float32, moved by 0.00
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6; } || exit 2
venv/bin/python - <<'PY'
import sys

import torch
import torch.nn.functional as F

head = torch.nn.Linear(8, 6)
with torch.no_grad():
    head.weight.zero_()
    head.bias.copy_(torch.eye(2, 3).flatten())
seen = []
for title, size, dtype, widen, off, low, high in (
    ("bfloat16", 224, torch.bfloat16, False, False, 0.4, 1.0),
    ("bfloat16", 1024, torch.bfloat16, False, False, 1.0, 4.0),
    ("float16", 224, torch.float16, False, False, 0.05, 0.2),
    ("theta.float()", 224, torch.bfloat16, True, False, 0.1, 0.5),
    ("autocast off", 224, torch.bfloat16, True, True, 0.0, 1e-3),
):
    ramp = torch.arange(float(size)).expand(1, 1, size, size)  # each pixel tells its column
    with torch.no_grad(), torch.autocast("cpu", dtype):
        theta = head(torch.zeros(1, 8)).view(1, 2, 3)
        theta = theta.float() if widen else theta
        with torch.autocast("cpu", dtype, enabled=not off):
            grid = F.affine_grid(theta, ramp.shape, align_corners=False)
        result = F.grid_sample(ramp, grid, padding_mode="border", align_corners=False)
    moved = float((result.float() - ramp).abs().max())
    names = [str(tensor.dtype).removeprefix("torch.") for tensor in (theta, grid, result)]
    print(f"{size} pixels, {title}: theta {names[0]}, grid {names[1]}, result {names[2]}, moved by {moved:.2f}")
    narrow = str(dtype).removeprefix("torch.")
    seen.append(low <= moved <= high and names[1] == ("float32" if off else narrow) and names[2] == "float32")
sys.exit(not all(seen))
PY
