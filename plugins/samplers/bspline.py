"""Interpolation by splines."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

import stnkit

# Where the padding is no symmetry of the spline, coefficients are solved for this many pixels beyond the image:
# those of scipy.ndimage, to agree with it.
_MARGIN = 12


class BSpline(stnkit.KernelSampler):
    """V(p) = Σ_i c_i Π_d β(p_d − i_d), β the B-spline of `order` and c such that V(i) = U_i at pixel centers.

    V has order − 1 continuous derivatives. The coefficients c are the image times the inverse of the matrix
    of β(i − j) along each axis, which has a closed form; the gradient to the image flows through it.
    With zeros, fill and border the spline is solved for 12 pixels beyond the image and cut off there.

    Args:
        order: of the spline's polynomials, 2 to 5.

    Raises:
        InputError: for an unknown padding, a fill value that is not finite, or an order out of its range.

    Example:
        >>> import torch, stnkit
        >>> sampler = stnkit.build("sampler", "bspline", order=3, padding="reflection")
        >>> sampler(torch.ones(1, 1, 4, 4), torch.zeros(1, 1, 1, 2)).shape
        torch.Size([1, 1, 1, 1])

    Source: Unser, Splines: a perfect fit for signal and image processing, IEEE Signal Processing Magazine,
        16(6), 1999.
    """

    @stnkit.coordinates.built_on_cpu
    def __init__(self, *, order: int = 3, **padding: Any) -> None:
        super().__init__(**padding)
        if order not in (2, 3, 4, 5):
            raise stnkit.errors.InputError(f"order: expected 2, 3, 4 or 5, got {order}")
        self.order = order
        self.support = (order + 1) / 2
        taps = self.kernel(torch.arange(-(order // 2), order // 2 + 1, dtype=torch.float64))
        self._terms = _inverse_filter(taps.tolist())

    def kernel(self, distance: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
        # Not `abs`, whose derivative at 0 would make the second derivative of the kernel vanish there.
        t = torch.where(distance >= 0, distance, -distance)
        total = torch.zeros_like(t)
        for j in range((self.order + 2) // 2):
            # Not by a power of −1, which TorchDynamo takes for −(1 to that power).
            signed = (-1 if j % 2 else 1) * math.comb(self.order + 1, j) / math.factorial(self.order)
            total = total + signed * (self.support - j - t).clamp(min=0).pow(self.order)
        return total

    def prefilter(self, image: Float[Tensor, "B C *in_size"]) -> Float[Tensor, "B C *wider"]:
        for d in range(2, image.ndim):
            matrix = self._inverse(image.shape[d], image.device).to(image.dtype)
            image = (image.movedim(d, -1) @ matrix.T).movedim(-1, d)
        return image

    def _inverse(self, n: int, device: torch.device) -> Float[Tensor, "wider n"]:
        """The matrix that takes a row of n pixels to its coefficients, in float64.

        The inverse filter is h(k) = Σ r z^|k| over the poles z. Padding makes the row periodic, so that h is
        summed over all periods: geometric series.
        """
        if self.sample_padding is stnkit.samplers.Padding.circular:
            h = self._response(n, device)
            i = torch.arange(n, device=device)
            return h[(i[:, None] - i).remainder(n)]
        if self.sample_padding is stnkit.samplers.Padding.reflection:
            return self._mirrored(n, device)
        wide = n + 2 * _MARGIN
        i = torch.arange(wide, device=device)
        if self.sample_padding is stnkit.samplers.Padding.zeros:
            h = self._response(2 * wide - 2, device)
            j = i[_MARGIN : wide - _MARGIN]
            return h[(i[:, None] - j).abs()] + h[i[:, None] + j]
        # All pixels beyond an edge are the one at the edge.
        matrix = self._mirrored(wide, device)
        return matrix.new_zeros(wide, n).index_add(1, (i - _MARGIN).clamp(0, n - 1), matrix)

    def _mirrored(self, n: int, device: torch.device) -> Float[Tensor, "n n"]:
        h = self._response(2 * n, device)
        i = torch.arange(n, device=device)
        return h[(i[:, None] - i).abs()] + h[i[:, None] + i + 1]

    def _response(self, period: int, device: torch.device) -> Float[Tensor, "period"]:
        k = torch.arange(period, dtype=torch.float64, device=device)
        total = torch.zeros_like(k)
        for r, z in self._terms:
            total = total + r / (1 - z**period) * (z**k + z ** (period - k))
        return total


def _inverse_filter(taps: list[float]) -> list[tuple[float, float]]:
    """The r and z of h(k) = Σ r z^|k|, the inverse of a symmetric filter, by partial fractions."""
    # The poles of the inverse come in pairs z, 1/z.
    poles = [z for z in np.roots(taps).tolist() if abs(z) < 1]
    gain = math.prod((1 - z) ** 2 for z in poles)
    terms = []
    for z in poles:
        others = math.prod(1 + y**2 - y * (z + 1 / z) for y in poles if y != z)
        terms.append((gain / ((1 - z**2) * others), z))
    return terms


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("bspline", BSpline)
