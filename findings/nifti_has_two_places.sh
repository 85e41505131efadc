#!/usr/bin/env bash
# SimpleITK and nibabel place one NIfTI file in two places: one takes its qform, the other its sform.
#
# Expected: readers agree where a valid file with both forms lies, and the sform comes first where its code is not 0.
# Happens: nibabel does so. SimpleITK takes the qform where there is one, unless the sform's code is 1 (scanner).
#   Aligned files have such forms: a registration that is written into the sform, with code 2 (aligned) or 4 (MNI), and
#   leaves the scanner's qform, is undone by reading them in ITK. A matrix between the two is then off by the whole
#   registration. Files of nibabel's own have no qform and agree. No warning.
# Seen with Python 3.11.7, SimpleITK 2.5.7, nibabel 5.4.2, numpy 2.4.6; the origin, in RAS, of a qform at (1, 2, 3)
#   and an sform at (40, 50, 60) that is turned by 0.3:
#   sform 1, qform 1: nibabel (40, 50, 60), SimpleITK (40, 50, 60)
#   sform 2, qform 1: nibabel (40, 50, 60), SimpleITK (1, 2, 3)
#   sform 4, qform 1: nibabel (40, 50, 60), SimpleITK (1, 2, 3)
#   sform 2, qform 2: nibabel (40, 50, 60), SimpleITK (1, 2, 3)
#   sform 2, qform 0: nibabel (40, 50, 60), SimpleITK (40, 50, 60)
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet simpleitk==2.5.7 nibabel==5.4.2 numpy==2.4.6; } || exit 2
venv/bin/python - <<'PY'
import sys

import nibabel
import numpy as np
import SimpleITK

scanner, aligned = np.eye(4), np.eye(4)
scanner[:3, 3] = 1, 2, 3
aligned[:2, :2] = [[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]]
aligned[:3, 3] = 40, 50, 60
seen = []
for sform, qform, same in ((1, 1, True), (2, 1, False), (4, 1, False), (2, 2, False), (2, 0, True)):
    image = nibabel.Nifti1Image(np.zeros((4, 5, 6), dtype=np.uint8), np.eye(4))
    image.set_sform(aligned, sform)
    image.set_qform(scanner if qform else None, qform)
    image.to_filename("image.nii")
    ours = nibabel.load("image.nii").affine[:3, 3]
    theirs = np.array(SimpleITK.ReadImage("image.nii").GetOrigin()) * [-1, -1, 1]  # LPS to RAS
    texts = ["({:.0f}, {:.0f}, {:.0f})".format(*origin) for origin in (ours, theirs)]
    print(f"sform {sform}, qform {qform}: nibabel {texts[0]}, SimpleITK {texts[1]}")
    place = aligned if same else scanner
    seen.append(np.abs(ours - aligned[:3, 3]).max() < 1e-4 and np.abs(theirs - place[:3, 3]).max() < 1e-4)
sys.exit(not all(seen))
PY
