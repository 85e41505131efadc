#!/usr/bin/env bash
# torchmetrics: the Hausdorff distance of masks is right only in a square image.
#
# Expected: two masks that lie 3 pixels apart have a Hausdorff distance of 3, whatever the size of the image around them.
# Happens: the distances are written into a flat image by row times height in place of row times width. In an image that is
#   wider than high they are read at other pixels, without a warning: 475 for 3 at 480 × 640. One that is higher than wide
#   ends in an index out of bounds. A validation on square crops does not show it.
# Seen with Python 3.11.7, torch 2.13.0+cpu, torchmetrics 1.9.0, scipy 1.17.1; a square of 10 × 10 pixels and the same one 3
# pixels beside it:
#   40 × 40: Hausdorff distance 3, by SciPy 3
#   40 × 44: Hausdorff distance 21, by SciPy 3
#   40 × 60: Hausdorff distance 33, by SciPy 3
#   480 × 640: Hausdorff distance 475, by SciPy 3
#   60 × 40: IndexError, by SciPy 3
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{
  python3 -m venv venv && venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6 packaging==26.4 scipy==1.17.1 &&
    venv/bin/pip install --quiet --no-deps torchmetrics==1.9.0 lightning-utilities==0.15.3
} || exit 2
venv/bin/python -W ignore - <<'PY'
import sys

import torch
from scipy.spatial.distance import directed_hausdorff
from torchmetrics.functional.segmentation import hausdorff_distance

seen = {}
for size in ((40, 40), (40, 44), (40, 60), (480, 640), (60, 40)):
    one, other = torch.zeros(2, 1, 1, *size, dtype=torch.int64)
    one[..., 10:20, 10:20] = 1
    other[..., 10:20, 13:23] = 1
    points = one[0, 0].nonzero().numpy(), other[0, 0].nonzero().numpy()
    true = max(directed_hausdorff(*points)[0], directed_hausdorff(*points[::-1])[0])
    try:
        found = hausdorff_distance(one, other, num_classes=1, include_background=True).item()
        text = f"Hausdorff distance {found:g}"
    except IndexError:
        found, text = None, "IndexError"
    seen[size] = found
    print(f"{size[0]} × {size[1]}: {text}, by SciPy {true:g}")
wide = all(seen[size] > 20 for size in ((40, 44), (40, 60), (480, 640)))
sys.exit(not (seen[40, 40] == 3 and wide and seen[60, 40] is None))
PY
