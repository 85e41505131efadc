#!/usr/bin/env bash
# scikit-image: the optical flow of an image in small units is 0.
#
# Expected: iterative Lucas-Kanade solves a local least squares problem, whose solution does not depend on the unit of
#   the gray values: `optical_flow_ilk` gives the same flow for images that are multiplied by a constant. TV-L1 weighs
#   gray values against the flow, so it may be smoother.
# Happens: ILK leaves the flow at exactly 0 where a determinant, which goes with the fourth power of the unit, is
#   below 1e-14: all of a map of diffusion in mm²/s. TV-L1 loses a third of the shift of a 12-bit image that was
#   divided by 65535, and all of it in small units. Neither warns.
# Seen with Python 3.11.7, scikit-image 0.26.0, scipy 1.17.1, numpy 2.4.6:
#   gray values up to 1.0000, moved by 2: ILK 2.000, zero at 0%; TV-L1 2.000
#   gray values up to 0.0625, moved by 2: ILK 2.000, zero at 0%; TV-L1 1.322
#   gray values up to 0.0039, moved by 2: ILK 0.000, zero at 100%; TV-L1 0.015
#   gray values up to 0.0010, moved by 2: ILK 0.000, zero at 100%; TV-L1 0.004
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
from skimage.registration import optical_flow_ilk, optical_flow_tvl1

texture = ndimage.gaussian_filter(np.random.default_rng(0).random((64, 64)), 3)
texture = (texture - texture.min()) / np.ptp(texture)
moved = ndimage.shift(texture, (0, 2), mode="nearest")
seen = {}
for unit in (1.0, 1 / 16, 1 / 255, 1e-3):
    flows = [flow(unit * texture, unit * moved)[1] for flow in (optical_flow_ilk, optical_flow_tvl1)]
    ilk, tvl1 = (float(flow[16:48, 16:48].mean()) for flow in flows)
    zero = f"zero at {(flows[0] == 0).mean():.0%}"
    print(f"gray values up to {unit:.4f}, moved by 2: ILK {ilk:.3f}, {zero}; TV-L1 {tvl1:.3f}")
    seen[unit] = (ilk, tvl1, (flows[0] == 0).all())
sys.exit(not (abs(seen[1.0][0] - 2) < 0.05 and seen[1e-3][2] and abs(seen[1.0][1] - 2) < 0.05 and seen[1e-3][1] < 0.1))
PY
