"""Families that break no rule, some of them unusual: two of them are charts."""

import torch

import stnkit


class Good(stnkit.TransformFamily):
    """T_θ(p) = p + θ · tanh(p), with x and y exchanged in the sine."""

    n_params = 2

    def __init__(self, strength: float = 1.0) -> None:
        super().__init__()
        self.strength = strength

    def identity(self):
        return torch.zeros(2, dtype=torch.float64)

    def forward(self, theta, points):
        return points + self.strength * theta[:, None] * torch.tanh(points.flip(-1))


class Nothing(Good):
    """The identity and nothing else: unusual, and not broken."""

    n_params = 0

    def identity(self):
        return torch.zeros(0, dtype=torch.float64)

    def forward(self, theta, points):
        return points.expand(len(theta), -1, -1)


class Learned(Good):
    """In three dimensions, with weights of its own: unusual, and not broken."""

    ndim = 3
    n_params = 1

    def __init__(self) -> None:
        super().__init__()
        self.frequency = torch.nn.Parameter(torch.randn(3))

    def identity(self):
        return torch.zeros(1, dtype=torch.float64)

    def forward(self, theta, points):
        return points + theta[:, None] * torch.sin(self.frequency * points)


class Cylinder(Good):
    """A chart: the image on a cylinder, T_θ(u, v) = (tan u, v / cos u) + θ."""

    is_chart = True

    def forward(self, theta, points):
        u, v = points.split(1, dim=-1)
        return torch.cat([u.tan(), v / u.cos()], dim=-1) + self.strength * theta[:, None]


class Hemisphere(Good):
    """A chart that has no source beyond a circle: the front half of a sphere, seen from afar."""

    is_chart = True

    def forward(self, theta, points):
        squared = points.square().sum(dim=-1, keepdim=True)
        depth = torch.where(squared < 1, 1 - squared, 1.0).sqrt()
        return torch.where(squared < 1, points / (1 + depth) + theta[:, None], stnkit.coordinates.OUTSIDE)
