import torch

import stnkit

from .good_transforms import Cylinder, Good


class SaysChart(Good):
    """A family with an identity that calls itself a chart."""

    is_chart = True


class HidesChart(Cylinder):
    is_chart = False


class AlmostNowhere(Cylinder):
    """A chart whose output has a source in the left third alone."""

    def forward(self, theta, points):
        return torch.where(points[..., :1] < -0.3, super().forward(theta, points), stnkit.coordinates.OUTSIDE)


class ShiftedInverse(Cylinder):
    def _inverse(self, theta, points):
        return super()._inverse(theta, points) + 0.1


class LostInverse(Cylinder):
    """A chart whose inverse knows the left half of the image alone."""

    def _inverse(self, theta, points):
        return torch.where(points[..., :1] < 0, super()._inverse(theta, points), torch.nan)
