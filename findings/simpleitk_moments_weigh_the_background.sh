#!/usr/bin/env bash
# SimpleITK: CenteredTransformInitializer with MOMENTS aligns the air of a CT, and normalized images anywhere.
#
# Expected: MOMENTS brings the centers of mass of what is shown onto each other; adding a number to all gray values
#   moves nothing.
# Happens: gray values are masses, negative ones too. In Hounsfield units the air outweighs the body, so the translation
#   is a few percent of the needed one and has the wrong sign. Of images that are normalized to a mean near 0 the center
#   is a quotient of two small numbers: here it lies far outside of the image. No error, no warning. Shift values so
#   that the background is 0 first.
# Seen with Python 3.11.7, simpleitk 2.5.7, numpy 2.4.6; a square that is moved by (-20, 10) in 40×40 pixels:
#   background 0: translation (-20.0, 10.0), center (29.5, 14.5)
#   Hounsfield units, -1000 to 100: translation (1.5, -0.7), center (18.8, 19.9)
#   normalized, rounded to 1/100: translation (2753.3, -1376.7), center (-1357.2, 707.8)
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet simpleitk==2.5.7 numpy==2.4.6; } || exit 2
venv/bin/python - <<'PY'
import sys

import numpy as np
import SimpleITK as sitk

fixed, moving = np.zeros((40, 40)), np.zeros((40, 40))
fixed[10:20, 25:35] = 1
moving[20:30, 5:15] = 1
mean, spread = fixed.mean(), fixed.std()
units = {
    "background 0": lambda image: image,
    "Hounsfield units, -1000 to 100": lambda image: 1100 * image - 1000,
    "normalized, rounded to 1/100": lambda image: np.round((image - mean) / spread, 2),
}
found = []
for name, values in units.items():
    pair = [sitk.GetImageFromArray(values(image)) for image in (fixed, moving)]
    start = sitk.CenteredTransformInitializer(
        *pair, sitk.Euler2DTransform(), sitk.CenteredTransformInitializerFilter.MOMENTS
    )
    x, y = start.GetTranslation()
    center = start.GetCenter()
    print(f"{name}: translation ({x:.1f}, {y:.1f}), center ({center[0]:.1f}, {center[1]:.1f})")
    found.append((x, y))
right = np.allclose(found[0], (-20, 10), atol=0.01)
sys.exit(not (right and 0 < found[1][0] < 3 and np.hypot(*found[2]) > 100))
PY
