"""Interpolation by splines."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

import stnkit

# Where the padding is no symmetry of the spline, coefficients are solved for this many pixels beyond the image:
# those of scipy.ndimage, to agree with it.
_MARGIN = 12
_SYMMETRIC = (stnkit.samplers.Padding.circular, stnkit.samplers.Padding.reflection, stnkit.samplers.Padding.mirror)
# Pixels of a row that are filtered by one product, and the weight of a pixel that is left out.
_BLOCK = 64
_NEGLIGIBLE = 1e-18


class BSpline(stnkit.samplers.KernelSampler):
    """V(p) = Σ_i c_i Π_d β(p_d − i_d), β the B-spline of `order` and c such that V(i) = U_i at pixel centers.

    V has order − 1 continuous derivatives. The coefficients c are the image filtered along each axis by the inverse of
    β(i − j), which has a closed form; the gradient to the image flows through it.
    With zeros, fill and border the spline is solved for 12 pixels beyond the image and cut off there.

    Args:
        order: degree of the spline's polynomials, 2 to 5.

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
            signed = (-1) ** j * math.comb(self.order + 1, j) / math.factorial(self.order)
            total = total + signed * (self.support - j - t).clamp(min=0).pow(self.order)
        return total

    def prefilter(self, image: Float[Tensor, "B C *in_size"]) -> Float[Tensor, "B C *wider"]:
        for d in range(2, image.ndim):
            image = self._filtered(image.movedim(d, -1)).movedim(-1, d)
        return image

    def _filtered(self, rows: Float[Tensor, "*any n"]) -> Float[Tensor, "*any wider"]:
        """The coefficients Σ_k h(k) U_{i+k} of rows, h(k) = Σ r z^|k| over the poles z, block by block.

        h vanishes soon: a block depends on the pixels under it and a few to each side. Time and memory grow with n.
        """
        n = rows.shape[-1]
        wide = n if self.sample_padding in _SYMMETRIC else n + 2 * _MARGIN
        weights = _weights(tuple(self._terms), rows.dtype, rows.device)
        reach = (len(weights) - _BLOCK) // 2
        # An exporter compares symbolic sizes. A block more than is needed makes two or more of any size, and the pixels
        # that are wanted, taken by their indices, are not compared with those that are there.
        # Under its option `strict` every size passes for a number.
        is_strict = torch.compiler.is_exporting() and torch.compiler.is_dynamo_compiling()
        any_size = isinstance(wide, torch.SymInt) or is_strict
        blocks = (wide - 1) // _BLOCK + 2 if any_size else -(-wide // _BLOCK)
        position = torch.arange(-reach, blocks * _BLOCK + reach, device=rows.device)
        pixel = self._pixel_at(position, n)
        # Not −1 where the row is 0: tract ends the process at a negative index.
        extended = rows[..., pixel.clamp(min=0)]
        if self.sample_padding is stnkit.samplers.Padding.zeros:
            extended = torch.where(pixel >= 0, extended, 0.0)
        filtered = (extended.unfold(-1, len(weights), _BLOCK) @ weights).flatten(-2)
        return filtered[..., torch.arange(wide, device=rows.device)] if any_size else filtered[..., :wide]

    def _pixel_at(self, position: Int64[Tensor, "N"], n: int) -> Int64[Tensor, "N"]:
        """The pixel at each position of the endless row that is filtered, −1 where it is 0."""
        source_index, padding = stnkit.samplers.source_index, stnkit.samplers.Padding
        if self.sample_padding in _SYMMETRIC:
            return source_index(position, n, self.sample_padding)
        wide = n + 2 * _MARGIN
        if self.sample_padding is padding.border:
            pixel = source_index(position, wide, padding.reflection) - _MARGIN
            return pixel.clamp(0, n - 1)
        pixel = source_index(position, wide, padding.mirror) - _MARGIN
        return torch.where((pixel >= 0) & (pixel < n), pixel, -1)


@stnkit.families.cached
def _weights(
    terms: tuple[tuple[float, float], ...], dtype: torch.dtype, device: torch.device
) -> Float[Tensor, "pixels block"]:
    """h(i − j) for the pixels i of a block and `reach` more on each side, and the coefficients j of the block."""
    reach = math.ceil(math.log(_NEGLIGIBLE) / math.log(max(abs(z) for _, z in terms)))
    i = torch.arange(-reach, _BLOCK + reach, dtype=torch.float64, device=device)
    distance = (i[:, None] - torch.arange(_BLOCK, device=device)).abs()
    weights = torch.zeros_like(distance)
    for r, z in terms:
        # Not z**distance: TorchDynamo takes a power of a negative constant for −(|z|**distance).
        weights = weights + r * torch.full_like(distance, z).pow(distance)
    return torch.where(distance <= reach, weights, 0.0).to(dtype)


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
