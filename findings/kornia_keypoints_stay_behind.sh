#!/usr/bin/env bash
# kornia: keypoints and boxes stay where they are when an elastic map moves the image.
#
# Expected: AugmentationSequential with data_keys "keypoints" and "bbox_xyxy" moves them with the image, or refuses a map
#   that it cannot apply to them, as it refuses masks (NotImplementedError).
# Happens: RandomThinPlateSpline, RandomElasticTransform and RandomFisheye have no matrix; points and boxes are
#   multiplied by the identity that stands for it. No error, no warning.
# Seen with Python 3.11.7, torch 2.13.0+cpu, kornia 0.9.0:
#   RandomRotation: image moved by 1.2 pixels, keypoint off by 0.0
#   RandomThinPlateSpline: image moved by 2.5 pixels, keypoint off by 2.5
#   RandomElasticTransform: image moved by 6.4 pixels, keypoint off by 6.4
#   RandomFisheye: image moved by 1.3 pixels, keypoint off by 1.3
#   warnings: 0
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{
  python3 -m venv venv && venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6 packaging==26.3 &&
    venv/bin/pip install --quiet --no-deps kornia==0.9.0 kornia_rs==0.2.0
} || exit 2
venv/bin/python - <<'PY'
import sys
import warnings

import torch

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import kornia.augmentation as K

ys, xs = torch.meshgrid(torch.arange(60.0), torch.arange(80.0), indexing="ij")
blob = torch.exp(-((xs - 36) ** 2 + (ys - 30) ** 2) / 8)[None, None]
point = torch.tensor([36.0, 30.0])


def center(image):
    return torch.stack([(image * xs).sum(), (image * ys).sum()]) / image.sum()


def range_of(value):
    return torch.tensor([value, value + 1e-3])


seen = []
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    for map_ in (
        K.RandomRotation((20.0, 20.0), p=1.0),
        K.RandomThinPlateSpline(0.3, p=1.0),
        K.RandomElasticTransform(alpha=(10.0, 10.0), p=1.0),
        K.RandomFisheye(range_of(0.3), range_of(0.3), range_of(0.9), p=1.0),
    ):
        torch.manual_seed(1)
        augmented = K.AugmentationSequential(map_, data_keys=["input", "keypoints"])
        image, keypoint = augmented(blob, point[None, None])
        moved = float((center(image[0, 0]) - point).norm())
        off = float((keypoint.flatten() - center(image[0, 0])).norm())
        seen.append((moved, off))
        print(f"{type(map_).__name__}: image moved by {moved:.1f} pixels, keypoint off by {off:.1f}")
print(f"warnings: {len(told)}")
(turned, exact), *others = seen
sys.exit(not (exact < 0.05 < turned and all(moved > 0.5 and abs(moved - off) < 1e-3 for moved, off in others) and not told))
PY
