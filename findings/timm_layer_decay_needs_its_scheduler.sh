#!/usr/bin/env bash
# timm: `layer_decay` does nothing unless the learning rate is set by a scheduler of timm.
#
# Expected: `create_optimizer_v2(network, lr=…, layer_decay=0.5)` gives an optimizer that trains early layers with smaller
#   rates, in any training loop and with any scheduler of torch.
# Happens: each group of parameters has the full rate, and an entry `lr_scale` that no optimizer of torch reads. Only timm's
#   own schedulers multiply by it. In a loop without a scheduler, or with one of torch, all layers are trained at one rate,
#   without a warning: a fine-tuning with layer decay is one without.
# Seen with Python 3.11.7, torch 2.13.0+cpu, timm 1.0.31, torchvision 0.28.0; a ViT of two blocks, AdamW, the first step of its
# patch embedding, of a block and of the head, in units of lr:
#   no scheduler: 1, 1, 1
#   torch's CosineAnnealingLR: 1, 1, 1
#   timm's CosineLRScheduler: 0.125, 0.25, 1
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{
  python3 -m venv venv && venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6 pyyaml==6.0.3 &&
    venv/bin/pip install --quiet --no-deps timm==1.0.31 torchvision==0.28.0 pillow==13.0.0
} || exit 2
venv/bin/python -W ignore - <<'PY'
import sys

import torch

# torchvision may be of another build than torch; the networks here need none of its operators.
library = torch.library.Library("torchvision", "FRAGMENT")
try:
    import torchvision  # noqa: F401
except RuntimeError:
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
from timm.models.vision_transformer import VisionTransformer
from timm.optim import create_optimizer_v2
from timm.scheduler import CosineLRScheduler

RATE = 1e-3


def first_step(scheduler):
    torch.manual_seed(0)
    network = VisionTransformer(img_size=16, patch_size=8, embed_dim=32, depth=2, num_heads=2, num_classes=10)
    optimizer = create_optimizer_v2(network, opt="adamw", lr=RATE, weight_decay=0, layer_decay=0.5)
    if scheduler is not None:
        scheduler(optimizer)
    weights = network.patch_embed.proj.weight, network.blocks[0].mlp.fc2.weight, network.head.weight
    before = [weight.detach().clone() for weight in weights]
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)  # the first step of AdamW is the rate
    optimizer.step()
    return [round((one - other).abs().mean().item() / RATE, 3) for one, other in zip(before, weights)]


seen = {
    "no scheduler": first_step(None),
    "torch's CosineAnnealingLR": first_step(lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)),
    "timm's CosineLRScheduler": first_step(lambda optimizer: CosineLRScheduler(optimizer, t_initial=10)),
}
for name, steps in seen.items():
    print(f"{name}: {', '.join(f'{step:g}' for step in steps)}")
sys.exit([*seen.values()] != [[1, 1, 1], [1, 1, 1], [0.125, 0.25, 1]])
PY
