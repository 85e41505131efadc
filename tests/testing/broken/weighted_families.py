"""Families with weights of their own, whose grid does not follow them."""

import torch

import stnkit

from .good_transforms import Good


class Weighted(Good):
    """Broken in no way."""

    def __init__(self) -> None:
        super().__init__()
        self.frequency = torch.nn.Parameter(torch.tensor(0.7))

    def forward(self, theta, points):
        return points + theta[:, None] * self._waves(points)

    def _waves(self, points):
        return torch.tanh(self.frequency.to(points) * points.flip(-1))


class KeepsProducts(Weighted):
    """Its waves are computed once for each size."""

    def __init__(self) -> None:
        super().__init__()
        self._kept = {}

    def _grid(self, theta, size):
        points = stnkit.coordinates.lattice(size, dtype=theta.dtype, device=theta.device)
        key = (size, theta.dtype)
        if key not in self._kept:
            with torch.inference_mode(False), torch.no_grad():
                self._kept[key] = self._waves(points.clone())
        return points + theta.view(-1, *[1] * self.ndim, self.ndim) * self._kept[key]


class DetachesWeights(Weighted):
    """Its waves are computed for each grid, without a gradient."""

    def _grid(self, theta, size):
        points = stnkit.coordinates.lattice(size, dtype=theta.dtype, device=theta.device)
        return points + theta.view(-1, *[1] * self.ndim, self.ndim) * self._waves(points).detach()
