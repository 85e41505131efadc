"""Networks with transformers away from the identity, and files in onnxruntime."""

import json

import onnx
import onnxruntime
import torch
from torch import nn

import stnkit

SHAPE = (1, 20, 24)


def transformer(transform="affine", shape=SHAPE, localizer="fully_connected", **options):
    """A transformer whose θ depends on the image."""
    torch.manual_seed(0)
    made = stnkit.SpatialTransformer(
        stnkit.build("localizer", localizer, in_shape=shape),
        stnkit.build("transform", {"name": transform, **options}),
        stnkit.build("sampler", "bilinear"),
    )
    with torch.no_grad():
        made.head.weight.normal_(std=0.05)
    return made


class Network(nn.Module):
    """A classifier behind a transformer."""

    def __init__(self, at_input):
        super().__init__()
        self.at_input = at_input
        self.layers = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(1584, 5))

    def forward(self, image):
        return self.layers(self.at_input(image))


def network(transform="affine"):
    return Network(transformer(transform)).eval()


def images(n=9, shape=SHAPE, seed=1):
    return torch.rand(n, *shape, generator=torch.Generator().manual_seed(seed))


def outputs_of(path, batch):
    """The outputs of an ONNX file by name."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, map(torch.from_numpy, session.run(None, {"image": batch.numpy()})), strict=True))


def metadata_of(path):
    """The metadata of an ONNX file, as its documentation names it."""
    return {entry.key: json.loads(entry.value) for entry in onnx.load(path).metadata_props}
