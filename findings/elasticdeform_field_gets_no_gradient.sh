#!/usr/bin/env bash
# elasticdeform: the displacement of its PyTorch operator gets no gradient, though the result says that it requires one.
#
# Expected: `elasticdeform.torch.deform_grid(image, displacement)` is differentiable in both, as `grid_sample` is, or
#   refuses a displacement that requires a gradient.
# Happens: the backward pass returns None for the displacement. The result has requires_grad=True and a grad_fn,
#   `backward` succeeds, and `grad` stays None: an optimizer passes the field over, and a registration stays at its start.
# Seen with Python 3.11.7, torch 2.13.0+cpu, elasticdeform 0.5.1, numpy 1.26.4, scipy 1.13.1; a blob that is to be moved
#   by 3 pixels, 50 steps of Adam:
#   requires_grad of the result: True
#   gradient of the displacement: None
#   loss: 0.0063 before, 0.0063 after
#   largest displacement that was learned: 0.0
#   with the true displacement the loss is 0.0000
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{
  python3 -m venv venv &&
    venv/bin/pip install --quiet torch==2.13.0 numpy==1.26.4 scipy==1.13.1 elasticdeform==0.5.1
} || exit 2
venv/bin/python - <<'PY'
import sys

import torch
from elasticdeform.torch import deform_grid

y, x = torch.meshgrid(torch.arange(40.0), torch.arange(50.0), indexing="ij")
moving, fixed = (torch.exp(-((y - row) ** 2 + (x - 25) ** 2) / 20) for row in (20, 17))
field = torch.zeros(2, 5, 5, requires_grad=True)
optimizer = torch.optim.Adam([field], lr=0.1)
losses = []
for _ in range(50):
    warped = deform_grid(moving, field)
    loss = (warped - fixed).square().mean()
    losses.append(loss.item())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
true = torch.zeros(2, 5, 5)
true[0] = 3
reached = float((deform_grid(moving, true) - fixed).square().mean())
print(f"requires_grad of the result: {warped.requires_grad}")
print(f"gradient of the displacement: {field.grad}")
print(f"loss: {losses[0]:.4f} before, {losses[-1]:.4f} after")
print(f"largest displacement that was learned: {float(field.detach().abs().max())}")
print(f"with the true displacement the loss is {reached:.4f}")
sys.exit(not (warped.requires_grad and field.grad is None and losses[0] == losses[-1] and reached < losses[0] / 100))
PY
