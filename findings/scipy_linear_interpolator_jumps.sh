#!/usr/bin/env bash
# SciPy: LinearNDInterpolator on a regular lattice of three dimensions is not continuous.
#
# Expected: a piecewise linear interpolator on a Delaunay triangulation is continuous; on a lattice, where the
#   triangulation is not unique, any of them will do.
# Happens: the points of a lattice are cospherical, so that Qhull cuts the faces between cubes in two ways and fills the
#   gap with flat simplices. Across such a face the interpolant jumps by as much as the values differ.
# Seen with Python 3.11.7, scipy 1.17.1, numpy 2.4.6, values N(0, 1) on a 3×3×3 lattice over [-1, 1]³:
#   largest jump between points 2e-12 apart, across x = 0: 0.80
#   simplices without a volume: 12 of 60
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet scipy==1.17.1 numpy==2.4.6; } || exit 2
venv/bin/python - <<'PY'
import sys

import numpy as np
from scipy.interpolate import LinearNDInterpolator
from scipy.spatial import Delaunay

axis = np.linspace(-1, 1, 3)
lattice = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
draws = np.random.default_rng(0)
mesh = Delaunay(lattice)
interpolant = LinearNDInterpolator(mesh, draws.standard_normal(27))
aside = np.column_stack([np.full(2000, 1e-12), draws.uniform(-0.99, 0.99, (2000, 2))])
jump = np.abs(interpolant(aside) - interpolant(aside * [-1, 1, 1])).max()
corners = lattice[mesh.simplices]
volumes = np.abs(np.linalg.det(corners[:, 1:] - corners[:, :1])) / 6
print(f"largest jump between points 2e-12 apart, across x = 0: {jump:.2f}")
print(f"simplices without a volume: {(volumes < 1e-12).sum()} of {len(volumes)}")
sys.exit(not jump > 0.1)
PY
