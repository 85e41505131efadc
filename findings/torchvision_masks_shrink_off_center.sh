#!/usr/bin/env bash
# torchvision: Resize takes for a mask the pixel at the edge of each box, and for the image its middle.
#
# Expected: an image and its mask that are shrunk by one call of `v2.Resize` show one thing in one place: the mask has the
#   label in the middle of the pixels that the image averages, or next to it.
# Happens: masks are read by "nearest", which takes the first pixel of each box. Shrunk by 4 a mask lies 1.5 pixels of the
#   large image beside it, by 8 it lies 3.5 pixels beside. `interpolation` reaches masks only where it is nearest or
#   nearest-exact, and the image gets it too: for a bilinear image there is no option that centers its mask.
# Seen with Python 3.11.7, torch 2.13.0+cpu, torchvision 0.28.0; an image and a mask of their column numbers, and of a disk:
#   64 to 32 pixels: column 9 is 18.5 in the image, 18 in the mask; nearest-exact 19 and 19; a disk and its mask: IoU 0.94
#   128 to 32 pixels: column 9 is 37.5 in the image, 36 in the mask; nearest-exact 38 and 38; a disk and its mask: IoU 0.93
#   256 to 32 pixels: column 9 is 75.5 in the image, 72 in the mask; nearest-exact 76 and 76; a disk and its mask: IoU 0.92
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{
  python3 -m venv venv && venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6 &&
    venv/bin/pip install --quiet --no-deps torchvision==0.28.0 pillow==13.0.0
} || exit 2
venv/bin/python - <<'PY'
import sys

import torch

# torchvision may be of another build than torch; its transforms need none of its operators.
library = torch.library.Library("torchvision", "FRAGMENT")
try:
    import torchvision  # noqa: F401
except RuntimeError:
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
from torchvision import tv_tensors
from torchvision.transforms import InterpolationMode, v2

seen = []
for factor in (2, 4, 8):
    side = 32 * factor
    rows = torch.arange(side) - (side - 1) / 2
    disk = (rows[:, None] ** 2 + rows[None] ** 2 < (side / 3) ** 2)[None]
    columns = torch.arange(side).expand(1, side, side)
    lines, overlaps = [], []
    for mode in (InterpolationMode.BILINEAR, InterpolationMode.NEAREST_EXACT):
        resize = v2.Resize((32, 32), interpolation=mode)
        image, mask = resize(tv_tensors.Image(columns.float()), tv_tensors.Mask(columns))
        lines.append((float(image[0, 5, 9]), int(mask[0, 5, 9])))
        image, mask = resize(tv_tensors.Image(disk.float()), tv_tensors.Mask(disk.to(torch.uint8)))
        overlaps.append(float(((image > 0.5) & (mask > 0)).sum() / ((image > 0.5) | (mask > 0)).sum()))
    print(f"{side} to 32 pixels: column 9 is {lines[0][0]:g} in the image, {lines[0][1]} in the mask;", end=" ")
    print(f"nearest-exact {lines[1][0]:g} and {lines[1][1]}; a disk and its mask: IoU {overlaps[0]:.2f}")
    seen.append(abs(lines[0][0] - lines[0][1] - (factor - 1) / 2) < 1e-3 and abs(lines[1][0] - lines[1][1]) < 1e-3)
    seen.append(overlaps[0] < 0.95)
sys.exit(not all(seen))
PY
