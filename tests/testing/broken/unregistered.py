"""Components with a parameter, or a constant, that their module does not know."""

import torch
from torch import nn

from tests.testing.broken import localizers, networks, objectives, samplers, transforms


class Affected:
    """A component that multiplies by a tensor that it holds."""

    def __init__(self, **options) -> None:
        super().__init__(**options)
        self.held = self.make_held()


class Learned(Affected):
    def make_held(self):
        return [nn.Parameter(torch.ones(1))]

    def factor(self, like):
        return self.held[0].to(like)


class Constant(Affected):
    def make_held(self):
        return torch.ones(1)

    def factor(self, like):
        return self.held.to(like.dtype)


class Moved(Constant):
    def factor(self, like):
        return self.held.to(like)


class Referred(Affected):
    """A parameter that is registered, and held once more: a move takes all that refer to it along."""

    def make_held(self):
        self.scale = nn.Parameter(torch.ones(1))
        return [self.scale]

    def factor(self, like):
        return self.held[0].to(like.dtype)


class Derives(Constant):
    """A leaf of one call, as where a derivative is computed on the way, is none of the component's."""

    def factor(self, like):
        with torch.inference_mode(False), torch.enable_grad():
            leaf = like.new_ones(1).requires_grad_()
            (ones,) = torch.autograd.grad(0.5 * leaf.square().sum(), leaf, create_graph=True)
        return ones


class _Transform:
    def forward(self, theta, points):
        return super().forward(theta * self.factor(theta), points)


class _Sampler:
    def read(self, image, grid):
        return super().read(image * self.factor(image), grid)


class _Vector:
    def vector(self, image):
        return super().vector(image * self.factor(image))


class _Objective:
    def losses(self, batch):
        return {name: (value * self.factor(value)).sum() for name, value in super().losses(batch).items()}


OF_KIND = {
    "transform": (_Transform, transforms.Good),
    "sampler": (_Sampler, samplers.Plain),
    "localizer": (_Vector, localizers.Good),
    "network": (_Vector, networks.Good),
    "objective": (_Objective, objectives.Good),
}


def component(kind, held):
    """The class of a good component of a kind that computes with what `held` holds."""
    return type(held.__name__, (OF_KIND[kind][0], held, OF_KIND[kind][1]), {})
