#!/usr/bin/env bash
# timm: a ViT that is built for 28×28 images reads 16×16 of them, without an error or a warning.
#
# Expected: create_model("vit_tiny_patch16_224", img_size=28) refuses a size that is no multiple of its patches, as it
#   refuses an image of another size, or pads the image.
# Happens: the number of patches is rounded down, and the convolution with stride 16 leaves out what is behind the last
#   whole patch: two thirds of the pixels have no influence on the logits. The attribute img_size still says 28×28.
#   Swin, BEiT and CaiT do the same; XCiT refuses. dynamic_img_size and dynamic_img_pad together pad.
# Seen with Python 3.11.7, torch 2.13.0+cpu, timm 1.0.31:
#   vit_tiny_patch16_224: built for (28, 28), takes (1, 3, 28, 28), pixels with a gradient: 256 of 784
#   the other 528 pixels replaced by noise: the same logits
#   with dynamic_img_size and dynamic_img_pad: 784 of 784
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{
  python3 -m venv venv && venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6 pyyaml==6.0.3 &&
    venv/bin/pip install --quiet --no-deps timm==1.0.31 torchvision==0.28.0 pillow==13.0.0
} || exit 2
venv/bin/python - <<'PY'
import sys

import torch

# torchvision may be of another build than torch; timm's ViT needs none of its operators.
library = torch.library.Library("torchvision", "FRAGMENT")
try:
    import torchvision  # noqa: F401
except RuntimeError:
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
import timm


def pixels_used(**options):
    torch.manual_seed(0)
    model = timm.create_model("vit_tiny_patch16_224", num_classes=3, img_size=28, **options).eval()
    image = torch.rand(1, 3, 28, 28, requires_grad=True)
    (gradient,) = torch.autograd.grad(model(image).square().sum(), image)
    used = (gradient != 0).any(dim=1)
    noise = torch.where(used, image, torch.rand_like(image))
    return model, image, int(used.sum()), torch.equal(model(noise), model(image))


model, image, used, same = pixels_used()
print(
    f"vit_tiny_patch16_224: built for {model.patch_embed.img_size}, takes {tuple(image.shape)}, "
    f"pixels with a gradient: {used} of {28 * 28}"
)
print(f"the other {28 * 28 - used} pixels replaced by noise: {'the same' if same else 'other'} logits")
_, _, padded, _ = pixels_used(dynamic_img_size=True, dynamic_img_pad=True)
print(f"with dynamic_img_size and dynamic_img_pad: {padded} of {28 * 28}")
sys.exit(not (used == 256 and same and padded == 784))
PY
