#!/usr/bin/env bash
# scikit-image: scale, rotation and shear of an AffineTransform that mirrors are those of another transform.
#
# Expected: `AffineTransform(scale=t.scale, rotation=t.rotation, shear=t.shear, translation=t.translation)` is t, with
#   a negative scale where t mirrors, as it is without a mirror, for shears along both axes too.
# Happens: the scales are roots of sums of squares and never negative, and the flip goes into the shear, as an angle
#   that is larger by π. The matrix is made of the tangent of the shear, which does not see π: what comes back is not
#   mirrored. It concerns estimated maps too, and nothing warns.
# Seen with Python 3.11.7, scikit-image 0.26.0, scipy 1.17.1, numpy 2.4.6:
#   scale (2, 3): [2.04, 2.69], rotation 0.10, shear 0.60; largest error of the matrix 4e-16
#   scale (1, -1): [1.0, 1.0], rotation 0.00, shear -3.14; largest error of the matrix 2
#   scale (-2, 3): [2.0, 3.0], rotation -2.84, shear 3.54; largest error of the matrix 5
#   scale (2, -3): [2.0, 3.0], rotation 0.30, shear -2.74; largest error of the matrix 5
#   determinant of an estimated mirror: -1.0 rebuilt: 1.0
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet scikit-image==0.26.0 scipy==1.17.1 numpy==2.4.6; } || exit 2
venv/bin/python - <<'PY'
import sys

import numpy as np
from skimage.transform import AffineTransform


def rebuilt(t):
    return AffineTransform(scale=t.scale, rotation=t.rotation, shear=t.shear, translation=t.translation)


seen = []
for scale, rotation, shear in [((2, 3), 0.3, (0.4, 0.2)), ((1, -1), 0, 0), ((-2, 3), 0.3, 0.4), ((2, -3), 0.3, 0.4)]:
    t = AffineTransform(scale=scale, rotation=rotation, shear=shear)
    angles = f"rotation {t.rotation:.2f}, shear {t.shear:.2f}"
    error = np.abs(rebuilt(t).params - t.params).max()
    print(f"scale {scale}: {t.scale.round(2).tolist()}, {angles}; largest error of the matrix {error:.1g}")
    seen.append(error)
points = np.random.default_rng(0).random((10, 2))
t = AffineTransform.from_estimate(points, points * [-1, 1])
print("determinant of an estimated mirror:", round(np.linalg.det(t.params), 6), "rebuilt:", end=" ")
print(round(np.linalg.det(rebuilt(t).params), 6))
sys.exit(not (seen[0] < 1e-9 and min(seen[1:]) > 1 and np.linalg.det(rebuilt(t).params) > 0))
PY
