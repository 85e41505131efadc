#!/usr/bin/env bash
# torchvision: KeyPoints do not follow the image: a flip counts pixels, a rotation counts edges.
#
# Expected: tv_tensors.KeyPoints that lie on a pixel lie on the same pixel after any transform of image and points, if
#   one keeps to one convention: (x, y) is the index of a pixel, or its center is (x + 0.5, y + 0.5).
# Happens: horizontal_flip and vertical_flip map x to W - 1 - x, right for indices; rotate, affine and resize act about
#   the edges, right for centers at x + 0.5. A flip and a rotation in one pipeline are off by a pixel in either. Boxes,
#   which are flipped to W - x, follow the image.
# Seen with Python 3.11.7, torch 2.13.0+cpu, torchvision 0.28.0:
#   horizontal_flip: pixel (20, 24) goes to (43, 24); the point at its index is off by 0.0, at its center by 1.0
#   rotate by 90°: pixel (20, 24) goes to (24, 43); the point at its index is off by 1.0, at its center by 0.0
#   the box around the pixel follows it: True, True
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
from torchvision.transforms.v2 import functional as F

SIZE, X, Y = (64, 64), 20, 24
image = torch.zeros(1, *SIZE)
image[0, Y, X] = 1
box = tv_tensors.BoundingBoxes([[X, Y, X + 1, Y + 1]], format="XYXY", canvas_size=SIZE, dtype=torch.float32)
seen, follows = [], []
for title, transform in (("horizontal_flip", F.horizontal_flip), ("rotate by 90°", lambda it: F.rotate(it, 90.0))):
    y, x = (transform(image)[0] > 0.5).nonzero()[0].tolist()
    errors = []
    for half in (0.0, 0.5):
        point = tv_tensors.KeyPoints([[X + half, Y + half]], canvas_size=SIZE, dtype=torch.float32)
        errors.append((transform(point) - torch.tensor([[x + half, y + half]])).abs().max().item())
    follows.append(bool((transform(box) - torch.tensor([[x, y, x + 1, y + 1]])).abs().max() < 1e-4))
    seen.append([round(error, 3) for error in errors])
    print(
        f"{title}: pixel ({X}, {Y}) goes to ({x}, {y}); the point at its index is off by {errors[0]:.1f}, "
        f"at its center by {errors[1]:.1f}"
    )
print(f"the box around the pixel follows it: {', '.join(map(str, follows))}")
sys.exit(not (seen == [[0.0, 1.0], [1.0, 0.0]] and all(follows)))
PY
