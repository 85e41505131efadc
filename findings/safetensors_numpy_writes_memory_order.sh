#!/usr/bin/env bash
# safetensors: its NumPy functions write transposed, sliced and Fortran arrays with their elements in the wrong places.
#
# Expected: an array is read back as it was, or refused, as safetensors.torch refuses a tensor that is not contiguous.
# Happens: as many bytes as the array has are copied from its first element on, in the order of the memory, and are
#   stored under the array's shape. Images that were moved from channels last to channels first, crops, every second
#   column, or whatever SciPy and LAPACK return in Fortran order are scrambled. The right shape and dtype come back;
#   there is no error and no warning. 0.7.0 stored what tobytes() gives, and was right.
# Seen with Python 3.11.7, safetensors 0.8.0, numpy 2.4.6:
#   contiguous: right
#   channels first, a view: wrong in 70 of 72 elements
#   every second column: wrong in 33 of 36 elements
#   a crop: wrong in 9 of 18 elements
#   Fortran order: wrong in 70 of 72 elements
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet safetensors==0.8.0 numpy==2.4.6; } || exit 2
venv/bin/python - <<'PY'
import sys

import numpy as np
from safetensors.numpy import load_file, save_file

image = np.arange(72.0).reshape(4, 6, 3)  # each element tells its place
seen = []
for title, array, right in (
    ("contiguous", image, True),
    ("channels first, a view", image.transpose(2, 0, 1), False),
    ("every second column", image[:, ::2], False),
    ("a crop", image[1:3, 1:4], False),
    ("Fortran order", np.asfortranarray(image), False),
):
    save_file({"array": array}, "array.safetensors")
    back = load_file("array.safetensors")["array"]
    wrong = int((back != array).sum())
    print(f"{title}: " + (f"wrong in {wrong} of {array.size} elements" if wrong else "right"))
    seen.append(back.shape == array.shape and back.dtype == array.dtype and (wrong == 0) == right)
sys.exit(not all(seen))
PY
