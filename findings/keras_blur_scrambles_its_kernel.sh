#!/usr/bin/env bash
# Keras on torch: gaussian_blur with a kernel that is not square scrambles the kernel and crops the image.
#
# Expected: kernel_size=(3, 5) blurs over a box of these sides, around each pixel, and the image keeps its size.
# Happens: the kernel is built as the transpose, and its numbers are read row by row in the other shape: a dot becomes a
#   skewed pattern that is no Gaussian. Both axes are padded by half of the first side, so that an image of 7 × 7 comes out
#   as 7 × 5. Square kernels are right, with two different sigmas too, and the backends of JAX and NumPy keep the size.
# Seen with Python 3.11.7, torch 2.13.0+cpu, keras 3.15.1, numpy 2.4.6; sigma (1, 0.5):
#   kernel (3, 3): size (7, 7)
#   kernel (3, 5): size (7, 5), a dot becomes
#   [[0.   0.   0.   0.03 0.05]
#    [0.03 0.22 0.36 0.22 0.03]
#    [0.05 0.03 0.   0.   0.  ]]
#   symmetric: True and False
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

dot = torch.zeros(1, 7, 7, 1)
dot[0, 3, 3] = 1.0


def blurred(kernel_size, sigma):
    return ops.image.gaussian_blur(dot, kernel_size, sigma, data_format="channels_last")[0, :, :, 0].numpy()


square, wide = blurred((3, 3), (1.0, 0.5)), blurred((3, 5), (1.0, 0.5))
print(f"kernel (3, 3): size {square.shape}")
print(f"kernel (3, 5): size {wide.shape}, a dot becomes")
print(wide[2:5].round(2))
mirrored = [np.allclose(image, image[::-1, ::-1]) and np.allclose(image, image[:, ::-1]) for image in (square, wide)]
print(f"symmetric: {mirrored[0]} and {mirrored[1]}")
sys.exit(not (square.shape == (7, 7) and wide.shape == (7, 5) and mirrored == [True, False]))
PY
