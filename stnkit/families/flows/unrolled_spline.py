"""The flow of a B-spline's velocity field in few plain operations a step, for exported programs and forward-mode AD."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from stnkit.families.runge_kutta_steps import runge_kutta


def unrolled_spline_flow(
    velocities: Float[Tensor, "B P"], points: Float[Tensor, "#B N ndim"], control_points: Sequence[int], steps: int
) -> Float[Tensor, "B N ndim"]:
    """`runge_kutta` of v(p) = Σ_i v_i Π_d β(p_d − i_d), p in units of the lattice, with the weights of all its points.

    A program holds every evaluation of v, four a step. Of these, 8 steps in two dimensions are 797 nodes of ONNX, where
    linear readings between control points, by GridSample, are 3,369.

    Args:
        velocities: v_i, planar: all x, then all y (then all z), each a lattice row by row.
        points: normalized, for each field or (batch of 1) the same for all, in the dtype of the velocities.
        control_points: of the lattice, (rows, columns) or (slices, rows, columns).
        steps: number of steps, at least 1.

    Example:
        >>> import torch
        >>> shift = torch.tensor([0.5, 0.0]).repeat_interleave(16)[None]  # v = (0.5, 0) on the image
        >>> unrolled_spline_flow(shift, torch.full((1, 1, 2), -0.25), (4, 4), 8)
        tensor([[[ 0.2500, -0.2500]]])

    Source: Unser 1999, Splines: a perfect fit for signal and image processing, IEEE Signal Processing Magazine.
    """
    field = _Field(velocities, control_points)
    return runge_kutta(lambda _, p: field(p), velocities, points, steps)


class _Field:
    """v(p), contracted one axis after the other: the first of the lattice by a product of matrices, x last."""

    def __init__(self, velocities: Float[Tensor, "B P"], control_points: Sequence[int]) -> None:
        self._counts = tuple(reversed(control_points))  # x first
        ndim = len(control_points)
        # (B, rows, ndim, columns) or (B, slices, ndim, columns, rows); the weights below are 6 β.
        planes = velocities.view(-1, ndim, *control_points) / 6**ndim
        self._lattice = planes.permute(0, 2, 1, *reversed(range(3, ndim + 2))).flatten(2)
        # Position among the control points of an axis, as in the families: (x + 1)(n − 3)/2 + 1.
        scale = [(n - 3) / 2 for n in self._counts]
        offset = [[a + 1 - i for i in range(max(control_points))] for a in scale]
        dtype, device = velocities.dtype, velocities.device
        self._scale = torch.tensor(scale, dtype=dtype, device=device)[:, None]
        self._offset = torch.tensor(offset, dtype=dtype, device=device)

    def __call__(self, points: Float[Tensor, "B N ndim"]) -> Float[Tensor, "B N ndim"]:
        ndim, (batch, n_points) = len(self._counts), points.shape[:2]
        # 6 β(d) = (2 − |d|)₊³ − 4 (1 − |d|)₊³.
        wide = F.relu(2 - (points[..., None] * self._scale + self._offset).abs())
        narrow = F.relu(wide - 1)
        weights = wide * wide * wide - 4 * (narrow * narrow * narrow)
        left = torch.bmm(weights[:, :, -1, : self._counts[-1]], self._lattice)
        for d in reversed(range(ndim - 1)):
            own = weights[:, :, d, : self._counts[d]].view(batch, n_points, *[1] * (d + 1), self._counts[d])
            left = (left.view(batch, n_points, ndim, *self._counts[: d + 1]) * own).sum(dim=-1)
        return left
