#!/usr/bin/env bash
# ANTsPy: slices of an image ignore their steps.
#
# Expected: `image[::2, ::2]` has every second voxel, with twice the spacing, and `image[::-1]` is flipped, or they are refused,
#   as negative starts and reversed bounds are.
# Happens: the step is not read. The result is the whole image, or the whole range, without a warning: a pyramid of such
#   slices has one level, and a flip is none.
# Seen with Python 3.11.7, antspyx 0.6.3, numpy 2.3.5; an image of 20 × 24 voxels:
#   [::2, ::2]: shape (20, 24) for NumPy's (10, 12), spacing (1.5, 2.0); it is the array without the step
#   [4:16:4, :]: shape (12, 24) for NumPy's (3, 24), spacing (1.5, 2.0); it is the array without the step
#   [::-1, :]: shape (20, 24) for NumPy's (20, 24), spacing (1.5, 2.0); it is the array without the step
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet antspyx==0.6.3 numpy==2.3.5; } || exit 2
venv/bin/python - <<'PY'
import sys

import ants
import numpy as np

array = np.arange(20 * 24, dtype=np.float32).reshape(20, 24)
image = ants.from_numpy(array, spacing=(1.5, 2.0), origin=(30.0, -20.0))
seen = []
for text, key in (
    ("[::2, ::2]", (slice(None, None, 2), slice(None, None, 2))),
    ("[4:16:4, :]", (slice(4, 16, 4), slice(None))),
    ("[::-1, :]", (slice(None, None, -1), slice(None))),
):
    found = image[key]
    without = tuple(slice(part.start, part.stop) for part in key)
    ignored = np.array_equal(found.numpy(), array[without])
    print(f"{text}: shape {found.shape} for NumPy's {array[key].shape}, spacing {found.spacing};", end=" ")
    print("it is the array without the step" if ignored else "the step counts")
    seen.append(ignored)
sys.exit(not all(seen))
PY
