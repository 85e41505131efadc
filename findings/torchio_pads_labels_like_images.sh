#!/usr/bin/env bash
# TorchIO: Pad and CropOrPad fill label maps with the value that is meant for the image.
#
# Expected: as in TorchIO's Affine and elastic deformation, whose default for labels is 0, and as with interpolation,
#   for which labels are treated apart, the padding of a CT by air, -1000, or by its mean is for images, and labels
#   get 0.
# Happens: `Pad` and `CropOrPad` fill every image of the subject alike: labels by -1000, a class of its own, or by the
#   mean of the labels, 0.074. One-hot encoding, a loss with classes from 0 on and overlaps count them. Padding by 0,
#   with which one begins, hides it.
# Seen with Python 3.11.7, torch 2.13.0+cpu, torchio 1.2.1, numpy 2.4.6:
#   Pad(2, padding_mode=-1000): image -1000, labels [-1000.0, 0.0, 2.0]
#   CropOrPad(13, padding_mode=-1000): image -1000, labels [-1000.0, 0.0, 2.0]
#   Pad(2, padding_mode='mean'): image 40, labels [0.0, 0.074, 2.0]
#   CropOrPad(13): image 0, labels [0.0, 2.0]
#   Affine, default_pad_value=-1000: image -1000, labels [0.0, 2.0]
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6 torchio==1.2.1; } || exit 2
venv/bin/python - <<'PY'
import sys

import torch
import torchio as tio

labels = torch.zeros(1, 9, 9, 9)
labels[:, 3:6, 3:6, 3:6] = 2
subject = tio.Subject(ct=tio.ScalarImage(tensor=torch.full((1, 9, 9, 9), 40.0)), organs=tio.LabelMap(tensor=labels))
transforms = {
    "Pad(2, padding_mode=-1000)": tio.Pad(2, padding_mode=-1000),
    "CropOrPad(13, padding_mode=-1000)": tio.CropOrPad(13, padding_mode=-1000),
    "Pad(2, padding_mode='mean')": tio.Pad(2, padding_mode="mean"),
    "CropOrPad(13)": tio.CropOrPad(13),
    "Affine, default_pad_value=-1000": tio.Affine(
        scales=1, degrees=0, translation=(4, 0, 0), default_pad_value=-1000
    ),
}
seen = []
for name, transform in transforms.items():
    padded = transform(subject)
    image, classes = padded.ct.data[0, 0, 0, 0].item(), padded.organs.data.unique().tolist()
    print(f"{name}: image {image:.0f}, labels {[round(value, 3) for value in classes]}")
    seen.append(set(classes) <= {0.0, 2.0})
sys.exit(seen != [False, False, False, True, True])
PY
