"""The networks of the matrix: a transformer whose θ is not the identity, and a small classifier behind it."""

from pathlib import Path

import torch
from torch import nn

import stnkit
from stnkit.plugin_system.registry import plugin_registry

SIZE = (28, 32)
BATCHES = (1, 3, 5)
EXAMPLE_BATCH = 3
PADDINGS = ("border", "reflection", "mirror", "circular")
KERNELS = ("antialiased", "area", "bspline", "gaussian", "lanczos", "multisample")


class Net(nn.Module):
    """image ↦ logits, warped image. θ is no output: OpenVINO is right where every intermediate tensor is one."""

    def __init__(self, transform: dict, sampler: dict, recurrent: int = 1) -> None:
        super().__init__()
        family = stnkit.build("transform", transform)
        size = (8, *SIZE)[-family.ndim :]
        localizer = stnkit.build("localizer", "convolutional", in_shape=(3, *size))
        self.transformer = stnkit.SpatialTransformer(
            localizer, family, stnkit.build("sampler", sampler), recurrent=recurrent
        )
        convolution = (nn.Conv2d if family.ndim == 2 else nn.Conv3d)(3, 8, 3, stride=2)
        features = convolution(torch.zeros(1, 3, *size)).numel()
        self.classifier = nn.Sequential(convolution, nn.ReLU(), nn.Flatten(), nn.Linear(features, 10))
        self.image_shape = (3, *size)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The logits and the warped image."""
        warped = self.transformer(image)
        return self.classifier(warped), warped


def _cases() -> dict[str, tuple]:
    families = [e.name for e in plugin_registry().registered if e.kind == "transform"]
    cases: dict[str, tuple] = {f"{name}.bilinear": ({"name": name}, {"name": "bilinear"}) for name in families}
    cases["affine.bilinear.recurrent"] = ({"name": "affine"}, {"name": "bilinear"}, 2)
    cases["affine3d.bilinear"] = ({"name": "affine", "ndim": 3}, {"name": "bilinear"})
    for sampler in ("bilinear", "bicubic", "nearest"):
        cases[f"affine.{sampler}"] = ({"name": "affine"}, {"name": sampler})
        for padding in PADDINGS:
            cases[f"affine.{sampler}.{padding}"] = ({"name": "affine"}, {"name": sampler, "padding": padding})
    for sampler in KERNELS:
        cases[f"affine.{sampler}"] = ({"name": "affine"}, {"name": sampler})
    cases["tps.bicubic"] = ({"name": "tps"}, {"name": "bicubic"})
    return cases


CASES = _cases()


def build(name: str) -> Net:
    """The network of that name, the same in every process."""
    torch.manual_seed(0)
    net = Net(*CASES[name]).eval()
    with torch.no_grad():
        net.transformer.head.weight.normal_(std=0.1)
        net.transformer.head.offset.normal_(std=0.05)
    return net


def images(net: Net, batch: int) -> torch.Tensor:
    """Images of that batch, uniform in [0, 1]."""
    return torch.rand(batch, *net.image_shape, generator=torch.Generator().manual_seed(batch))


def exported(name: str) -> tuple[Net, tuple, dict]:
    """The network, an example and the dynamic batch, as `torch.export.export` takes them."""
    net = build(name)
    return net, (images(net, EXAMPLE_BATCH),), {"image": {0: torch.export.Dim("batch", min=1, max=8)}}


def file(folder: Path, name: str, suffix: str) -> Path:
    """The file of a network."""
    return folder / f"{name}{suffix}"
