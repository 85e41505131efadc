"""Linearized multi-sampling."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

import stnkit

# Number of sets of offsets; neighbors use different ones, so a prime, for rows of any length.
_SETS = 61


class Multisample(stnkit.samplers.PaddedSampler):
    """V(p) is bilinear's; ∂V/∂p is the slope a of the plane that fits V best at auxiliary points p + δ_k.

    a = argmin_a min_b Σ_k (V(p + δ_k) − b − a·δ_k)², δ_0 = 0, the others with a normal distribution of
    standard deviation `radius`. Bilinear's gradient depends on the four pixels around p; this one reaches several
    pixels farther, so that large misplacements can be learned. The gradient to the image is bilinear's.

    The paper draws the noise anew in every step and scales it with the warp; here it is in image pixels and
    drawn once, so that a run is reproducible and the sampler traceable.

    Args:
        samples: number of auxiliary points, at least 4; each costs a bilinear sample without gradient, and
            all of them only where the grid wants a gradient.
        radius: standard deviation of the noise in pixels of the image, 0.1 to 1000.
        seed: seed of the noise.

    Raises:
        InputError: for an unknown padding, a fill value that is not finite, fewer than 4 samples, or a radius
            or seed out of its range.

    Example:
        >>> import torch, stnkit
        >>> sampler = stnkit.build("sampler", "multisample", radius=4.0)
        >>> sampler(torch.ones(1, 1, 8, 8), torch.zeros(1, 1, 1, 2)).item()
        1.0

    Source: Jiang et al., Linearized multi-sampling for differentiable image transformation, ICCV 2019.
    """

    exact_gradient = False

    @stnkit.coordinates.built_on_cpu
    def __init__(self, *, samples: int = 8, radius: float = 2.0, seed: int = 0, **padding: Any) -> None:
        super().__init__(**padding)
        if samples < 4:
            raise stnkit.errors.InputError(f"samples: expected a whole number of at least 4, got {samples}")
        if not 0.1 <= radius <= 1000:
            raise stnkit.errors.InputError(f"radius: expected 0.1 to 1000 pixels, got {radius}")
        if not -(2**63) <= seed < 2**64:
            raise stnkit.errors.InputError(f"seed: expected a whole number of 64 bits, got {seed}")
        self.samples = samples
        # In float64 and plain attributes: buffers would be cast by `.half()` and land in state dicts.
        self._noise = {ndim: _noise(samples, ndim, radius, seed) for ndim in (2, 3)}
        self._fit = {ndim: _fit(noise) for ndim, noise in self._noise.items()}

    def sample(
        self, image: Float[Tensor, "B C *in_size"], grid: Float[Tensor, "B *out_size ndim"]
    ) -> Float[Tensor, "B C *out_size"]:
        if stnkit.families.is_exported():
            return self._bilinear(image, grid)  # what is exported is not trained: nine samples less
        value = self._bilinear(image, grid.detach())
        # Forward mode asks nobody: its tangent of the grid does not require a gradient.
        if not (torch.is_grad_enabled() and grid.requires_grad) and not stnkit.families.is_dual():
            return value
        # First, or 0 · NaN would enter the value too.
        pixels = stnkit.coordinates.to_pixels(stnkit.coordinates.finite(grid), image.shape[2:])
        slope = self._slope(image.detach(), pixels.detach(), value.detach())
        # Add a zero whose derivative is the slope.
        return value + (slope * (pixels - pixels.detach())[:, None]).sum(dim=-1)

    def _slope(
        self,
        image: Float[Tensor, "B C *in_size"],
        pixels: Float[Tensor, "B *out_size ndim"],
        value: Float[Tensor, "B C *out_size"],
    ) -> Float[Tensor, "B C *out_size ndim"]:
        """The slope of the best plane per pixel: a linear combination of the values at p and the p + δ_k."""
        out_size, ndim = pixels.shape[1:-1], pixels.shape[-1]
        sets = (torch.arange(math.prod(out_size), device=pixels.device) % _SETS).view(*out_size)
        noise, fit = self._noise[ndim].to(pixels), self._fit[ndim].to(pixels)
        slope = value[..., None] * fit[:, 0][sets]
        for k in range(self.samples):
            points = stnkit.coordinates.from_pixels(pixels + noise[:, k][sets], image.shape[2:])
            slope = slope + self._bilinear(image, points)[..., None] * fit[:, k + 1][sets]
        return slope

    def _bilinear(self, image: Tensor, grid: Tensor) -> Tensor:
        return self.grid_sample(image, grid, "bilinear", margin=1)


def _noise(samples: int, ndim: int, radius: float, seed: int) -> Float[Tensor, "sets samples ndim"]:
    generator = torch.Generator().manual_seed(seed)
    return radius * torch.randn(_SETS, samples, ndim, generator=generator, dtype=torch.float64)


def _fit(noise: Float[Tensor, "sets samples ndim"]) -> Float[Tensor, "sets points ndim"]:
    """The weights with which values at 0 and at the noise sum up to the slope of their best plane."""
    points = torch.cat([torch.zeros_like(noise[:, :1]), noise], dim=1)
    return torch.linalg.pinv(points - points.mean(dim=1, keepdim=True)).transpose(1, 2)


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("multisample", Multisample)
