#!/usr/bin/env bash
# Keras on torch: fill_mode="mirror" of keras.ops.image.affine_transform fails for gray images.
#
# Expected: what is beyond the border is mirrored about the outermost pixels, of an image of any number of channels.
# Happens: the channels are an axis of the sampling too, and mirrored: with a single one the period is 0, and the call
#   ends in a division by zero. Three channels work, and so do the backends of JAX and NumPy. fill_mode="reflect",
#   about the edges, works everywhere.
# Seen with Python 3.11.7, torch 2.13.0+cpu, keras 3.15.1:
#   channels 3, mirror: [2.0, 1.0, 2.0, 3.0]
#   channels 1, mirror: RuntimeError: ZeroDivisionError
#   channels 1, reflect: [1.0, 1.0, 2.0, 3.0]
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

import torch
from keras import ops


def row(n_channels: int, fill_mode: str) -> str:
    """The first row of an image whose columns are 1, 2, 3, 4, moved by a pixel to the right."""
    image = torch.arange(1.0, 5.0).reshape(1, 1, 4, 1).repeat(1, 4, 1, n_channels)
    shift = torch.tensor([[1.0, 0, -1, 0, 1, 0, 0, 0]])
    try:
        moved = ops.image.affine_transform(image, shift, fill_mode=fill_mode, data_format="channels_last")
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return str(moved[0, 0, :, 0].tolist())


seen = []
for n_channels, fill_mode in ((3, "mirror"), (1, "mirror"), (1, "reflect")):
    seen.append(row(n_channels, fill_mode))
    print(f"channels {n_channels}, {fill_mode}: {seen[-1]}")
sys.exit(not (seen[0] == "[2.0, 1.0, 2.0, 3.0]" and "Error" in seen[1] and seen[2] == "[1.0, 1.0, 2.0, 3.0]"))
PY
