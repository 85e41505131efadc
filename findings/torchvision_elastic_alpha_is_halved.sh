#!/usr/bin/env bash
# torchvision: ElasticTransform moves pixels by half of alpha.
#
# Expected: alpha is the magnitude of the displacements in pixels, as it is documented and as the elastic transforms of
#   SciPy recipes, imgaug and Albumentations have it: without smoothing, uniform draws from -alpha to alpha.
# Happens: alpha is divided by the side of the image and added to coordinates that run from -1 to 1, so from -alpha/2 to
#   alpha/2 pixels. A recipe that is carried over deforms half as much.
# Seen with Python 3.11.7, torch 2.13.0+cpu, torchvision 0.28.0:
#   alpha=20, sigma=0, image of 100 × 400: largest displacement 10.00 pixels along x, 10.00 along y
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
from torchvision.transforms import v2

torch.manual_seed(0)
# Images whose values are the coordinates, read behind the transform, away from the border.
y, x = torch.meshgrid(torch.arange(100.0), torch.arange(400.0), indexing="ij")
warped = v2.ElasticTransform(alpha=20.0, sigma=0.0)(torch.stack([x, y]))
moved = (warped - torch.stack([x, y]))[:, 20:80, 20:380].abs().amax(dim=(1, 2))
print(
    "alpha=20, sigma=0, image of 100 × 400: "
    f"largest displacement {moved[0]:.2f} pixels along x, {moved[1]:.2f} along y"
)
sys.exit(not (9.9 < moved[0] <= 10.001 and 9.9 < moved[1] <= 10.001))
PY
