"""Transforms whose derivatives to θ or to the points are wrong, infinite or missing."""

import torch

from .good_transforms import Good


class HalfGradient(Good):
    def forward(self, theta, points):
        return super().forward((theta + theta.detach()) / 2, points)


class Stuck(Good):
    """θ² / |θ| far from the identity, and θ² near it."""

    def forward(self, theta, points):
        return super().forward(theta * torch.tanh(theta), points)


class NanAtTheIdentity(Good):
    """The other branch of `where` has an infinite derivative there."""

    def forward(self, theta, points):
        return super().forward(torch.where(theta == 0, theta, theta * torch.sin(theta) / theta), points)


class NanInTheCenter(Good):
    def forward(self, theta, points):
        radius = points.square().sum(dim=-1, keepdim=True).sqrt()
        return super().forward(theta, points) + theta[:, None] * radius


class ReadsOneTwice(Good):
    def forward(self, theta, points):
        return super().forward(theta[:, [0, 0]], points)
