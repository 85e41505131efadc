#!/usr/bin/env bash
# Keras on torch: keras.ops.image.affine_transform overwrites the matrix that it is given.
#
# Expected: the matrix is read. Two calls with the same tensor give the same image, and one that a network has computed
#   gets a gradient, as the sampling itself is differentiable.
# Happens: rows and columns are swapped in place, in the caller's tensor: a shift along x becomes one along y, so the
#   second call moves the image in another direction and the third as the first did. A parameter is refused by autograd
#   for the write in place. A matrix in a NumPy array stays as it is, and so does any in the backends of JAX and NumPy.
# Seen with Python 3.11.7, torch 2.13.0+cpu, keras 3.15.1:
#   a shift along x by 2 pixels, [1, 0, 2, 0, 1, 0, 0, 0]; after one call [1, 0, 0, 0, 1, 2, 0, 0]
#   the first column of the image moves along x in call 1, along y in call 2, along x in call 3
#   an array of NumPy: [1, 0, 2, 0, 1, 0, 0, 0]
#   a parameter: a view of a leaf Variable that requires grad is being used in an in-place operation.
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{
  python3 -m venv venv && venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6 keras==3.15.1
} || exit 2
export KERAS_BACKEND=torch KERAS_HOME="$folder"
venv/bin/python - <<'PY'
import sys

import numpy as np
import torch
from keras import ops

SHIFT = [1, 0, 2, 0, 1, 0, 0, 0]
image = torch.arange(1.0, 26.0).reshape(1, 5, 5, 1)
along = {"x": torch.zeros(1, 5, 5, 1), "y": torch.zeros(1, 5, 5, 1)}
along["x"][:, :, :3] = image[:, :, 2:]
along["y"][:, :3] = image[:, 2:]

matrix = torch.tensor([SHIFT], dtype=torch.float32)
seen = []
for call in range(3):
    warped = ops.image.affine_transform(image, matrix, data_format="channels_last")
    seen.append(next((axis for axis, expected in along.items() if torch.equal(warped, expected)), "neither"))
    if not call:
        after = matrix[0].int().tolist()
array = np.array([SHIFT], dtype=np.float32)
ops.image.affine_transform(image, array, data_format="channels_last")
try:
    parameter = torch.nn.Parameter(torch.tensor([SHIFT], dtype=torch.float32))
    ops.image.affine_transform(image, parameter, data_format="channels_last")
    refusal = "none"
except RuntimeError as error:
    refusal = str(error)
print(f"a shift along x by 2 pixels, {SHIFT}; after one call {after}")
print("the first column of the image moves along " + ", along ".join(f"{it} in call {n + 1}" for n, it in enumerate(seen)))
print(f"an array of NumPy: {array[0].astype(int).tolist()}")
print(f"a parameter: {refusal}")
overwritten = [1, 0, 0, 0, 1, 2, 0, 0]
as_seen = seen == ["x", "y", "x"] and after == overwritten and array[0].tolist() == SHIFT
sys.exit(not (as_seen and "in-place" in refusal))
PY
