"""A swirl."""

import stnkit
import torch


class Swirl(stnkit.TransformFamily):
    """T_θ(p) = R(θ exp(−|p|² / radius²)) p: a rotation that falls off with the distance to the center.

    Args:
        radius: distance at which the angle is θ/e, above 0; 1 is the edge of the image.
    """

    n_params = 1

    def __init__(self, radius: float = 1.0):
        super().__init__()
        if radius <= 0:
            raise stnkit.errors.InputError(f"radius: expected a number above 0, got {radius}")
        self.radius = radius

    def identity(self):
        return torch.zeros(1, dtype=torch.float64)

    def forward(self, theta, points):
        angle = theta[:, :, None] * torch.exp(-points.square().sum(-1, keepdim=True) / self.radius**2)
        x, y = points.split(1, dim=-1)
        return torch.cat([x * angle.cos() - y * angle.sin(), x * angle.sin() + y * angle.cos()], dim=-1)


@stnkit.hookimpl
def stnkit_components():
    yield stnkit.Component("swirl", Swirl)
