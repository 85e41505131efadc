#!/usr/bin/env bash
# torch: with the 26th point cdist loses half of its digits.
#
# Expected: torch.cdist gives distances to float32 accuracy, however many points there are, as for 25: 1e-6 of a pixel.
# Happens: for more than 25 points on either side it expands (x - y)² to x² - 2xy + y². At pixel coordinates of some hundred
#   distances are wrong by a tenth of a pixel and more, a point is not at 0 from itself, and points closer than a tenth of a
#   pixel are at 0, where the gradient is 0 too. compute_mode="donot_use_mm_for_euclid_dist" is exact.
# Seen with Python 3.11.7, torch 2.13.0+cpu, numpy 2.4.6; greatest error, and greatest distance of a point to itself:
#   25 points near 200: 1e-06, 0
#   26 points near 200: 0.1, 0.1
#   26 points near 200, exact mode: 1e-06, 0
#   25 points near 1000: 1e-06, 0
#   26 points near 1000: 0.5, 0.5
#   26 points near 1000, exact mode: 1e-06, 0
#   26 points moved by (0.02, 0.02): 16 at distance 0, 16 with gradient 0
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6; } || exit 2
venv/bin/python - <<'PY'
import sys

import torch

EXACT = "donot_use_mm_for_euclid_dist"
generator = torch.Generator().manual_seed(0)
errors = {}
for first in (200.0, 1000.0):
    points = first + 20 * torch.rand(26, 2, generator=generator)
    for count, options in ((25, {}), (26, {}), (26, {"compute_mode": EXACT})):
        p = points[:count]
        found = torch.cdist(p, p, **options)
        error = float((found - torch.cdist(p.double(), p.double(), compute_mode=EXACT)).abs().max())
        self_distance = float(found.diagonal().max())
        key = f"{count} points near {first:.0f}{', exact mode' if options else ''}"
        errors[key] = error
        print(f"{key}: {error:.1g}, {self_distance:.1g}")

still = torch.tensor([[224.0, 224.0]]).expand(26, 2) + torch.linspace(0, 20, 26)[:, None]
moved = (still + 0.02).requires_grad_()
nearest = torch.cdist(moved, still).amin(dim=1)
nearest.sum().backward()
zeros, flat = int((nearest == 0).sum()), int((moved.grad == 0).all(dim=1).sum())
print(f"26 points moved by (0.02, 0.02): {zeros} at distance 0, {flat} with gradient 0")
good = all(error < 1e-4 for key, error in errors.items() if key.startswith("25") or "exact" in key)
bad = errors["26 points near 200"] > 0.02 and errors["26 points near 1000"] > 0.1
sys.exit(not (good and bad and zeros > 3 and flat >= zeros))
PY
