#!/usr/bin/env bash
# torchvision: keypoints behind an elastic map are moved by the displacement of another place.
#
# Expected: a keypoint goes where the image shows its pixel, to a fraction of a pixel, for a smooth map without folds.
# Happens: the image is read at p + d(p). A keypoint q is moved to q − d(q), with d taken at the keypoint, not at the place p
#   that solves p + d(p) = q: the error is that of the displacement over its own length, and grows with its square. Before
#   that, q is rounded down to a whole pixel, so that a field of zeros moves it too.
# Seen with Python 3.11.7, torch 2.13.0+cpu, torchvision 0.28.0; 128 × 160 pixels, waves of length 80:
#   waves of 0 pixels, stretch at least 1.00: keypoints are off by up to 0.00 pixels
#   waves of 2 pixels, stretch at least 0.84: keypoints are off by up to 0.23 pixels
#   waves of 5 pixels, stretch at least 0.61: keypoints are off by up to 1.43 pixels
#   a field of zeros moves (40.9, 50.9) to (40.0, 50.0)
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
import math
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

H, W = 128, 160
y, x = torch.meshgrid(torch.arange(float(H)), torch.arange(float(W)), indexing="ij")
points = torch.cartesian_prod(torch.arange(40.0, 121, 10), torch.arange(40.0, 91, 10))
worst = {}
for size in (0.0, 2.0, 5.0):
    # A smooth map without folds: waves of 80 pixels.
    along = size * torch.stack([torch.sin(2 * math.pi * x / 80), torch.cos(2 * math.pi * y / 80)], -1)
    smallest = 1 - size * 2 * math.pi / 80
    field = (along * torch.tensor([2 / W, 2 / H]))[None]
    keypoints = F.elastic(tv_tensors.KeyPoints(points, canvas_size=(H, W)), field)
    errors = []
    for point, found in zip(points, keypoints.as_subclass(torch.Tensor)):
        # Where the map reads the point: the solution of p + d(p) = point by fixed points.
        place = point.clone()
        for _ in range(200):
            a = place[0] + size * torch.sin(2 * math.pi * place[0] / 80)
            b = place[1] + size * torch.cos(2 * math.pi * place[1] / 80)
            place = place - 0.7 * (torch.stack([a, b]) - point)
        # A spot at the point is seen there in the image.
        spot = torch.exp(-((x - point[0]) ** 2 + (y - point[1]) ** 2) / 4)[None]
        out = F.elastic(spot, field)[0]
        row, column = divmod(int(out.argmax()), W)
        assert max(abs(column - place[0]), abs(row - place[1])) < 1.0
        errors.append(float((found - place).norm()))
    worst[size] = max(errors)
    print(f"waves of {size:.0f} pixels, stretch at least {smallest:.2f}: keypoints are off by up to {worst[size]:.2f} pixels")
half = F.elastic(tv_tensors.KeyPoints(torch.tensor([[40.9, 50.9]]), canvas_size=(H, W)), torch.zeros(1, H, W, 2))
print(f"a field of zeros moves (40.9, 50.9) to ({float(half[0, 0]):.1f}, {float(half[0, 1]):.1f})")
sys.exit(not (worst[0.0] < 1e-3 and worst[2.0] > 0.2 and worst[5.0] > 1.0 and abs(float(half[0, 0]) - 40) < 1e-3))
PY
