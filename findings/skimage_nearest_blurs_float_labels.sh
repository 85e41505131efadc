#!/usr/bin/env bash
# scikit-image: resizing with order=0, nearest neighbors, blurs floating-point labels.
#
# Expected: `resize(labels, shape, order=0)` and `rescale` give values that the image has, whatever its dtype. Label
#   volumes are often float, such as those of nibabel's `get_fdata`.
# Happens: a smaller image is low-pass filtered before the nearest pixel is taken, unless the dtype is bool or of
#   integers: the default of `anti_aliasing` looks at the dtype besides the order. There are classes that no label
#   had, and with rounding thin structures and corners change sides. `anti_aliasing=False` is the way out.
# Seen with Python 3.11.7, scikit-image 0.26.0, scipy 1.17.1, numpy 2.4.6:
#   int64: 3 values, [0, 1, 3]
#   float64: 12 values, [0.0, 0.001, 0.034, 0.286, 0.32, 0.787] …
#   float64, rescale: 12 values, [0.0, 0.001, 0.034, 0.286, 0.32, 0.787] …
#   float64, anti_aliasing=False: 3 values, [0.0, 1.0, 3.0]
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet scikit-image==0.26.0 scipy==1.17.1 numpy==2.4.6; } || exit 2
venv/bin/python - <<'PY'
import sys

import numpy as np
from skimage.transform import rescale, resize

labels = np.zeros((40, 40), dtype=np.int64)
labels[10:30, 10:30] = 3
labels[:, 5] = 1  # a line of one pixel
seen = {
    "int64": np.unique(resize(labels, (20, 20), order=0, preserve_range=True)),
    "float64": np.unique(resize(labels.astype(float), (20, 20), order=0).round(3)),
    "float64, rescale": np.unique(rescale(labels.astype(float), 0.5, order=0).round(3)),
    "float64, anti_aliasing=False": np.unique(resize(labels.astype(float), (20, 20), order=0, anti_aliasing=False)),
}
for name, values in seen.items():
    print(f"{name}: {len(values)} values, {values[:6].tolist()}{' …' if len(values) > 6 else ''}")
counts = [len(values) for values in seen.values()]
sys.exit(not (counts[0] <= 3 and min(counts[1:3]) > 5 and counts[3] <= 3))
PY
