#!/usr/bin/env bash
# elasticdeform: a uint8 image is deformed into noise where it has contrast.
#
# Expected: a deformation of size zero is the identity for images of bytes as for floats, and a uint8 image is deformed as
#   the float32 one, rounded.
# Happens: the coefficients of the cubic spline, which is the default, are stored in the dtype of the image. Those of a
#   bright disk leave 0 to 255 along its edge and wrap around: black and white are exchanged there. A smooth image is off by
#   2 levels, because they are whole numbers. int16 has room, and is off by 1 or 2. Floats and order=1 are exact.
# Seen with Python 3.11.7, elasticdeform 0.5.1, numpy 1.26.4, scipy 1.13.1; largest difference from the image itself, for a
#   displacement of zero:
#   smooth: uint8 2, int16 2, float32 0, uint8 with order=1 0
#   disk: uint8 192, int16 1, float32 0, uint8 with order=1 0
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet numpy==1.26.4 scipy==1.13.1 elasticdeform==0.5.1; } || exit 2
venv/bin/python - <<'PY'
import sys

import elasticdeform
import numpy as np

y, x = np.mgrid[:40, :50]
images = {
    "smooth": 100 + 80 * np.sin(y / 6) * np.cos(x / 7),
    "disk": np.where((y - 20) ** 2 + (x - 25) ** 2 < 100, 200, 0),
}
still = np.zeros((2, 3, 3))
seen = {}
for name, image in images.items():
    offs = []
    for title, dtype, options in (
        ("uint8", np.uint8, {}),
        ("int16", np.int16, {}),
        ("float32", np.float32, {}),
        ("uint8 with order=1", np.uint8, {"order": 1}),
    ):
        typed = image.astype(dtype)
        off = np.abs(elasticdeform.deform_grid(typed, still, **options).astype(float) - typed).max()
        seen[name, title] = off
        offs.append(f"{title} {off:.0f}")
    print(f"{name}: {', '.join(offs)}")
exact = all(off < 0.01 for (_, title), off in seen.items() if title in ("float32", "uint8 with order=1"))
sys.exit(not (exact and seen["disk", "uint8"] > 100 and 1 <= seen["smooth", "uint8"] <= 3))
PY
