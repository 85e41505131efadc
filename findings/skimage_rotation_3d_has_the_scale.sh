#!/usr/bin/env bash
# scikit-image: the rotation of a similarity in three dimensions is rotation times scale.
#
# Expected: `SimilarityTransform(…, dimensionality=3).rotation` is a rotation matrix, as `.rotation` of two dimensions
#   is an angle without the scale, and as `.scale` is beside it.
# Happens: it is the upper 3×3 block of the matrix, whose determinant is the third power of the scale. A pose that is
#   estimated and put together again from its parts is scaled twice; a scale of 1, with which one tests, hides it.
# Seen with Python 3.11.7, scikit-image 0.26.0, scipy 1.17.1, numpy 2.4.6:
#   scale 1.0: determinant of the rotation 1.000, off by 4.4e-16; points by scale · rotation + translation off by 4.4e-16
#   scale 2.0: determinant of the rotation 8.000, off by 0.98; points by scale · rotation + translation off by 2.1
#   in two dimensions with scale 2: rotation 0.300 of 0.3
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet scikit-image==0.26.0 scipy==1.17.1 numpy==2.4.6; } || exit 2
venv/bin/python - <<'PY'
import sys

import numpy as np
from scipy.spatial.transform import Rotation
from skimage.transform import SimilarityTransform

rotation = Rotation.from_euler("xyz", [0.1, 0.2, 0.3]).as_matrix()
source = np.random.default_rng(0).random((20, 3))
seen = []
for scale in (1.0, 2.0):
    t = SimilarityTransform.from_estimate(source, scale * source @ rotation.T + [1, 2, 3])
    error = np.abs(t.rotation - rotation).max()
    again = np.abs(source @ (t.scale * t.rotation).T + t.translation - t(source)).max()
    determinant = np.linalg.det(t.rotation)
    print(f"scale {t.scale:.1f}: determinant of the rotation {determinant:.3f}, off by {error:.2g};", end=" ")
    print(f"points by scale · rotation + translation off by {again:.2g}")
    seen.append((error, again))
flat = SimilarityTransform(scale=2, rotation=0.3)
print(f"in two dimensions with scale 2: rotation {flat.rotation:.3f} of 0.3")
sys.exit(not (max(seen[0]) < 1e-9 and min(seen[1]) > 0.9 and abs(flat.rotation - 0.3) < 1e-9))
PY
