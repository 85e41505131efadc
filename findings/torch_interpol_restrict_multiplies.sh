#!/usr/bin/env bash
# torch-interpol: `restrict` makes an image brighter by the number of pixels of a block, squared.
#
# Expected: `restrict` is a mean by default, the counterpart of `resize`, since `reduce_sum=False` is documented as the
#   normalized form: an image of ones gives ones with every anchor.
# Happens: with the anchors "edges", "first" and "last" the sum over a block is multiplied by its number of pixels and not
#   divided by it: an image of ones halved along both axes is 16, where the sum is 4. With the default anchor, "centers",
#   it is 1. A pyramid of three levels is 4096 times too bright.
# Seen with Python 3.11.7, torch 2.13.0+cpu, torch-interpol 0.3.0, numpy 2.4.6; ones, 24 x 24 to 12 x 12, middle pixel:
#   centers: mean 1.00, sum 4.36
#   edges: mean 16.00, sum 4.00
#   first: mean 16.00, sum 4.00
#   last: mean 16.00, sum 4.00
#   edges, 24 x 24 to 3 x 3 in three steps: 4096
#   resize by edges: 1.00
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{
  python3 -m venv venv && venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6 &&
    venv/bin/pip install --quiet --no-deps torch-interpol==0.3.0
} || exit 2
venv/bin/python - <<'PY'
import sys

import interpol
import torch

ones = torch.ones(1, 1, 24, 24, dtype=torch.float64)
means, sums = {}, {}
for anchor in ("centers", "edges", "first", "last"):
    for found, total in ((means, False), (sums, True)):
        half = interpol.restrict(ones, factor=[2, 2], anchor=anchor, reduce_sum=total)
        found[anchor] = float(half[0, 0, 6, 6])
    print(f"{anchor}: mean {means[anchor]:.2f}, sum {sums[anchor]:.2f}")
level = ones
for _ in range(3):
    level = interpol.restrict(level, factor=[2, 2], anchor="edges")
print(f"edges, 24 x 24 to 3 x 3 in three steps: {float(level[0, 0, 1, 1]):.0f}")
resized = float(interpol.resize(ones, factor=[0.5, 0.5], anchor="edges")[0, 0, 6, 6])
print(f"resize by edges: {resized:.2f}")
wrong = all(abs(means[anchor] - 16) < 1e-6 for anchor in ("edges", "first", "last"))
sys.exit(not (wrong and abs(means["centers"] - 1) < 0.01 and abs(resized - 1) < 1e-6))
PY
