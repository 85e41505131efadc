#!/usr/bin/env bash
# ANTsPy: label_image_centroids exchanges x and z, and gives voxels where physical=True asks for millimeters.
#
# Expected: the centroid of a label as indices (x, y, z) of `image.numpy()`, and with physical=True in millimeters: points that
#   a transform takes.
# Happens: coordinates are counted with x fastest, while the array has z fastest. In a cube x and z are exchanged; in
#   another volume the result is no place of the label at all. physical=True changes nothing. `get_center_of_mass` is right.
# Seen with Python 3.11.7, antspyx 0.6.3, numpy 2.3.5; a label of 3 × 3 × 3 voxels of 2 mm about the voxel (3, 9, 15):
#   20 × 20 × 20 voxels: [15.0, 9.0, 3.0], with physical [15.0, 9.0, 3.0]; center of mass [6.0, 18.0, 30.0]
#   30 × 20 × 20 voxels: [15.0, 10.44, 1.78], with physical [15.0, 10.44, 1.78]; center of mass [6.0, 18.0, 30.0]
#   40 × 24 × 32 voxels: [17.37, 16.74, 1.67], with physical [17.37, 16.74, 1.67]; center of mass [6.0, 18.0, 30.0]
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

seen = []
for shape in ((20, 20, 20), (30, 20, 20), (40, 24, 32)):
    labels = np.zeros(shape, np.float32)
    labels[2:5, 8:11, 14:17] = 1  # centered at (3, 9, 15)
    image = ants.from_numpy(labels, spacing=(2.0, 2.0, 2.0))
    found = [ants.label_image_centroids(image, physical=physical)["vertices"][0] for physical in (False, True)]
    center = [round(value, 2) for value in ants.get_center_of_mass(image)]
    print(f"{' × '.join(map(str, shape))} voxels: {found[0].round(2).tolist()},", end=" ")
    print(f"with physical {found[1].round(2).tolist()}; center of mass {center}")
    seen.append(not np.allclose(found[0], (3, 9, 15)) and np.array_equal(*found) and np.allclose(center, (6, 18, 30)))
sys.exit(not all(seen))
PY
