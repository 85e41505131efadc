#!/usr/bin/env bash
# scikit-image: the error of phase_cross_correlation is 1 for a perfect match.
#
# Expected: the second result, "translation invariant normalized RMS error", is 0 for an image and itself or itself
#   shifted, and near 1 for images that have nothing in common: matches can be selected by it.
# Happens: with the default `normalization="phase"` the peak is of normalized spectra, and it is divided by the energy
#   of the images as they are. The error is 1 for anything. Normalized by nothing, `normalization=None`, it is what it
#   says.
# Seen with Python 3.11.7, scikit-image 0.26.0, scipy 1.17.1, numpy 2.4.6:
#   normalization phase, itself: shift [0, 0], error 1.0000
#   normalization phase, shifted: shift [-3, 5], error 1.0000
#   normalization phase, another: shift [0, -3], error 1.0000
#   normalization None, itself: shift [0, 0], error 0.0000
#   normalization None, shifted: shift [-3, 5], error 0.0000
#   normalization None, another: shift [7, 0], error 0.2071
#   normalization phase, itself, of gray values to 255: error 1.0000
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet scikit-image==0.26.0 scipy==1.17.1 numpy==2.4.6; } || exit 2
venv/bin/python - <<'PY'
import sys

import numpy as np
from scipy import ndimage
from skimage.registration import phase_cross_correlation

generator = np.random.default_rng(0)
image, other = (ndimage.gaussian_filter(generator.random((64, 80)), 1, mode="wrap") for _ in range(2))
pairs = {"itself": image, "shifted": np.roll(image, (3, -5), (0, 1)), "another": other}
seen = {}
for normalization in ("phase", None):
    for name, moving in pairs.items():
        shift, error, _ = phase_cross_correlation(image, moving, normalization=normalization)
        print(f"normalization {normalization}, {name}: shift {shift.astype(int).tolist()}, error {error:.4f}")
        seen[normalization, name] = error
in_grays = phase_cross_correlation(255 * image, 255 * image)[1]
print(f"normalization phase, itself, of gray values to 255: error {in_grays:.4f}")
by_phase = [seen["phase", name] for name in pairs] + [in_grays]
sys.exit(not (min(by_phase) > 0.99 and seen[None, "itself"] < 1e-3 and seen[None, "shifted"] < 1e-3))
PY
