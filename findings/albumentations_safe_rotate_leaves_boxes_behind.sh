#!/usr/bin/env bash
# Albumentations: SafeRotate puts the image half a pixel beside its boxes, and turns by 0 degrees into another image.
#
# Expected: as behind Rotate, boxes lie on what they were drawn around, and 0 degrees is the identity.
# Happens: the image, its mask and its keypoints are moved by half a pixel along x and y on top of the rotation, which
#   blurs the image at 0 degrees too. Boxes are not moved: each is (0.5, 0.5) off at every angle.
# Seen with Python 3.11.7, albumentations 2.0.8, albucore 0.0.24, opencv-python-headless 5.0.0.93; a blob at (30, 25) in
#   the middle of its box, 80 x 60 pixels:
#   SafeRotate, 0 degrees: blob at (30.50, 25.50), middle of its box at (30.00, 25.00)
#   SafeRotate, 10 degrees: blob at (30.88, 27.68), middle of its box at (30.39, 27.18)
#   SafeRotate, 45 degrees: blob at (31.92, 32.17), middle of its box at (31.42, 31.66)
#   Rotate, 10 degrees: blob at (29.36, 26.72), middle of its box at (29.36, 26.72)
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{
  python3 -m venv venv &&
    venv/bin/pip install --quiet numpy==2.4.6 scipy==1.17.1 opencv-python-headless==5.0.0.93 pydantic==2.14.3 \
      pyyaml==6.0.3 typing-extensions==4.16.0 stringzilla==5.3.2 simsimd==6.5.16 &&
    venv/bin/pip install --quiet --no-deps albumentations==2.0.8 albucore==0.0.24
} || exit 2
NO_ALBUMENTATIONS_UPDATE=1 venv/bin/python - <<'PY'
import sys
import warnings

import numpy as np

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import albumentations as A

ys, xs = np.mgrid[:60, :80].astype(float)
blob = np.exp(-((xs - 30) ** 2 + (ys - 25) ** 2) / 8).astype(np.float32)[..., None]
box = [20, 15, 41, 36]  # from edge to edge: its middle is the center of pixel (30, 25)


def center(image):
    weights = image.squeeze().astype(float)
    return np.array([(weights * xs).sum(), (weights * ys).sum()]) / weights.sum()


offs = []
for name, angle in (("SafeRotate", 0), ("SafeRotate", 10), ("SafeRotate", 45), ("Rotate", 10)):
    turn = getattr(A, name)((angle, angle), p=1)
    both = A.Compose([turn], bbox_params=A.BboxParams("pascal_voc", label_fields=["labels"]), seed=1)
    found = both(image=blob, bboxes=[box], labels=[1])
    x0, y0, x1, y1 = map(float, found["bboxes"][0])
    middle, spot = np.array([(x0 + x1 - 1) / 2, (y0 + y1 - 1) / 2]), center(found["image"])
    offs.append(spot - middle)
    print(f"{name}, {angle} degrees: blob at ({spot[0]:.2f}, {spot[1]:.2f}), ", end="")
    print(f"middle of its box at ({middle[0]:.2f}, {middle[1]:.2f})")
*safe, plain = offs
sys.exit(not (all(np.abs(off - 0.5).max() < 0.02 for off in safe) and np.abs(plain).max() < 0.02))
PY
