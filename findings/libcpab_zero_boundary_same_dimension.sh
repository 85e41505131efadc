#!/usr/bin/env bash
# libcpab: a velocity field without the zero boundary has no more parameters than one with it.
#
# Expected: on 3×3 cells of four triangles a continuous piecewise affine field is given by its velocities at 25 vertices,
#   50 numbers. zero_boundary=True takes away the 16 across the edges: 34. So zero_boundary=False has 50.
# Happens: both have 34. Without the zero boundary the triangles at an edge are joined beyond it, where the field is
#   affine in whole strips, which is a constraint of its own. Code that looks at the dimension alone cannot tell them
#   apart, and θ of the one is a different map in the other.
# Seen with Python 3.11.7, libcpab 0.1.3, torch 2.13.0+cpu, numpy 2.4.6:
#   3×3 cells, zero_boundary=True: 34
#   3×3 cells, zero_boundary=False: 34
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet libcpab==0.1.3 torch==2.13.0 numpy==2.4.6; } || exit 2
venv/bin/python - <<'PY' 2>/dev/null | grep cells
from libcpab import Cpab

for boundary in (True, False):
    dimension = Cpab([3, 3], zero_boundary=boundary).get_theta_dim()
    print(f"3×3 cells, zero_boundary={boundary}: {dimension}")
    assert dimension == 34
PY
