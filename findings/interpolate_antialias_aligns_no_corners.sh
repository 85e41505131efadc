#!/usr/bin/env bash
# torch: interpolate(antialias=True, align_corners=True) does not align the corners, and moves the image.
#
# Expected: with align_corners=True the centers of the corner pixels of both images coincide, with antialias=True as
#   without: enlarged, the two are the same linear interpolation, and the middle stays in the middle.
# Happens: the antialiased kernels take the step (n - 1)/(m - 1) of aligned corners, but start half a step from the edge as
#   without. So all of the image is off by (step - 1)/2 of its pixels: enlarged it moves towards its end, by up to half a
#   pixel, and reduced towards its start, by a pixel and a half at a quarter of the size. No error, no warning.
# Seen with Python 3.11.7, torch 2.13.0+cpu, numpy 2.4.6; the row 0 … 8, to columns of these numbers, first, middle, last:
#   17: aligned 0.00, 4.00, 8.00; antialiased 0.00, 4.00, 8.00; both 0.00, 3.75, 7.75
#   33: aligned 0.00, 4.00, 8.00; antialiased 0.00, 4.00, 8.00; both 0.00, 3.62, 7.62
#   5: aligned 0.00, 4.00, 8.00; antialiased 0.57, 4.00, 7.43; both 0.71, 4.50, 7.75
#   3: aligned 0.00, 4.00, 8.00; antialiased 1.25, 4.00, 6.75; both 1.89, 5.39, 7.44
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6; } || exit 2
venv/bin/python - <<'PY'
import sys

import torch
import torch.nn.functional as F

row = torch.arange(9.0)[None, None, None].expand(1, 1, 9, 9).contiguous()
middles = {}
for columns in (17, 33, 5, 3):
    line = []
    for title, options in (
        ("aligned", {"align_corners": True}),
        ("antialiased", {"antialias": True, "align_corners": False}),
        ("both", {"antialias": True, "align_corners": True}),
    ):
        read = F.interpolate(row, (9, columns), mode="bilinear", **options)[0, 0, 4]
        middles[columns, title] = float(read[columns // 2])
        line.append(f"{title} {read[0]:.2f}, {read[columns // 2]:.2f}, {read[-1]:.2f}")
    print(f"{columns}: {'; '.join(line)}")
stays = all(abs(value - 4) < 1e-4 for (_, title), value in middles.items() if title != "both")
expected = {17: 3.75, 33: 3.625, 5: 4.5, 3: 5.3871}
moves = all(abs(middles[columns, "both"] - value) < 1e-3 for columns, value in expected.items())
sys.exit(not (stays and moves))
PY
