"""Polar and log-polar coordinates about a learned center: a chart behind any family."""

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

import stnkit
from stnkit import coordinates
from stnkit.errors import InputError

# Without images, the share of `radius` at which log-polar coordinates begin: five octaves.
INNERMOST = 1 / 32
# The least share of `radius` at which they may: the inverse divides by it in float32.
SMALLEST = 1e-6


class Polar(stnkit.TransformFamily):
    """T_θ(u, v) = I_θ(r cos φ / s_x, r sin φ / s_y): rows of the output are angles, and columns radii.

    I_θ is the family `inner`, whose θ this is: the fixed coordinates are those of its output, so a translation moves
    their center. φ = π (v + 1) runs from 0, to the right, over π/2, down, to 2π. r = r₀ + (R − r₀) (u + 1) / 2, or
    with `log` r = r₀ (R / r₀)^((u + 1) / 2), in halves of the shorter side of the image; s_x and s_y are the halves of
    its sides. Rotating the image by α clockwise shifts the output down by α / 2π of its height, and with `log`
    enlarging it by c shifts the output right by ln c / ln(R / r₀) of its width.

    A chart: the neutral θ is the identity of `inner`, and its output is the image in polar coordinates. The output is
    periodic in φ, which a convolution with zeros as padding does not know. The inverse is closed where that of `inner`
    is. Of the center, which has no single φ, it is (−1, −1) for r₀ = 0; with `log` it has none.

    Args:
        inner: the family that acts on the image, of two dimensions, a name or a mapping `{name: ..., option: ...}`:
            translation learns the center; similarity the angle and the scale too.
        log: True for the logarithm of the radius.
        radius: R, at the right edge of the output, 0.001 to 1000: 1 for the largest circle in the image, √2 for its
            corners in a square one.
        inner_radius: r₀, at the left edge, below `radius`; by default 0. With `log` it is at least
            1e-6 radius, and by default one pixel of the images, at most radius / 2, or without images radius / 32.
        aspect: width / height of the images in pixels, 0.001 to 1000; by default that of `in_shape`, else 1.
        in_shape: (C, H, W) of the images; in a network the program supplies it.

    Raises:
        InputError: when an option is out of its range, or `inner` cannot be built or is not of two dimensions.

    Example:
        >>> import torch, stnkit
        >>> family = stnkit.build("transform", "polar")
        >>> right_and_down = torch.tensor([[[1.0, -1.0], [1.0, -0.5]]])
        >>> (family(torch.tensor([[0.5, 0.0]]), right_and_down) + 0.0).round(decimals=4)
        tensor([[[1.5000, 0.0000],
                 [0.5000, 1.0000]]])

    Source: Esteves et al., Polar transformer networks, ICLR 2018, section 3 (log-polar about a predicted origin).
    """

    is_chart = True

    def __init__(
        self,
        inner: str | dict[str, Any] = "translation",
        log: bool = False,
        radius: float = 1.0,
        inner_radius: float | None = None,
        aspect: float | None = None,
        in_shape: tuple[int, ...] | None = None,
    ) -> None:
        super().__init__()
        chosen, taken = stnkit.families.chosen_aspect(aspect, in_shape, self.ndim)
        self.aspect = float(chosen)  # type: ignore[arg-type]  # of volumes it is a tuple
        if in_shape is not None and log and inner_radius is None:
            inner_radius = taken["inner_radius"] = min(2 / min(in_shape[1:]), radius / 2)
        self.options_from_images = taken
        if not 1e-3 <= radius <= 1e3:
            raise InputError(f"radius: expected a number between 0.001 and 1000, got {radius}")
        if inner_radius is None:
            inner_radius = radius * INNERMOST if log else 0.0
        if not (SMALLEST * radius if log else 0) <= inner_radius < radius:
            least = f"of at least {SMALLEST * radius:g}" if log else "of at least 0"
            raise InputError(
                f"inner_radius: expected a number {least} and below the radius {radius}, got {inner_radius}"
            )
        self._chart = _Chart(log, inner_radius, radius, (max(self.aspect, 1.0), max(1 / self.aspect, 1.0)))
        images = {} if in_shape is None else {"in_shape": in_shape}
        self.inner: stnkit.TransformFamily = stnkit.build("transform", inner, **images)
        if self.inner.ndim != 2:
            raise InputError(f"inner: expected a transform of 2 dimensions, got {self.inner.ndim}")
        self.n_params = self.inner.n_params

    def identity(self) -> Float[Tensor, "P"]:
        return self.inner.identity()

    def forward(self, theta: Float[Tensor, "B P"], points: Float[Tensor, "#B N ndim"]) -> Float[Tensor, "B N ndim"]:
        """The inner map of the points' places in the image."""
        places: Tensor = self.inner(theta, self._chart.places(points))
        return places

    def _grid(self, theta: Float[Tensor, "B P"], size: tuple[int, ...]) -> Float[Tensor, "B *size ndim"]:
        """The inner map of the pixel centers' places in the image, which are cached."""
        places = _lattice_places(self._chart, size, theta.dtype, theta.device)
        source: Tensor = self.inner(theta, places)
        return source.view(theta.shape[0], *size, self.ndim)

    def _inverse(self, theta: Float[Tensor, "B P"], points: Float[Tensor, "#B N ndim"]) -> Float[Tensor, "B N ndim"]:
        """The radius and angle of the inverse of the inner family."""
        return self._chart.points(self.inner.inverse(theta, points))

    def _fit(
        self, target: Float[Tensor, "B N ndim"], source: Float[Tensor, "B N ndim"], weights: Float[Tensor, "B N"]
    ) -> Float[Tensor, "B P"]:
        """That of the inner family, to the places of the points in the image, if they determine all of its map."""
        try:
            return self.inner.fit(self._chart.places(target), source, weights)
        except InputError:  # the output may show a circle of the image alone
            start = self.identity().to(target).expand(len(target), -1)
            return stnkit.families.gauss_newton(self, start, target, source, weights)

    def extra_repr(self) -> str:
        log, inner_radius, radius, _ = self._chart
        return f"log={log}, radius={radius}, inner_radius={inner_radius:.4g}, aspect={self.aspect:.4g}"


class _Chart(NamedTuple):
    """The fixed map between points (u, v) of the output and their places in the image, both normalized."""

    log: bool
    inner_radius: float
    radius: float
    # s_x and s_y, in halves of the shorter side.
    half_sides: tuple[float, float]

    def places(self, points: Float[Tensor, "#B N 2"]) -> Float[Tensor, "#B N 2"]:
        """(r cos φ / s_x, r sin φ / s_y)."""
        along, around = ((points + 1) / 2).unbind(dim=-1)
        if self.log:
            start, end = math.log(self.inner_radius), math.log(self.radius)
            radius = stnkit.families.bounded_exp(start + (end - start) * along)
        else:
            radius = self.inner_radius + (self.radius - self.inner_radius) * along
        angle, (width, height) = 2 * math.pi * around, self.half_sides
        return torch.stack([radius * angle.cos() / width, radius * angle.sin() / height], dim=-1)

    def points(self, places: Float[Tensor, "B N 2"]) -> Float[Tensor, "B N 2"]:
        """(u, v) with v in [−1, 1]; NaN where a place is NaN, and for the center if the radius is a logarithm."""
        lost = places.isnan().any(dim=-1)
        x, y = (places * places.new_tensor(self.half_sides)).unbind(dim=-1)
        center = (x == 0) & (y == 0)
        # Mask what has no derivative before it is used, or its NaN leaks into the gradients of every other point.
        x, y = torch.where(center | lost, 1.0, x), torch.where(center | lost, 0.0, y)
        angle, radius = torch.remainder(torch.atan2(y, x), 2 * math.pi), torch.hypot(x, y)
        if self.log:
            along = (radius / self.inner_radius).log() / math.log(self.radius / self.inner_radius)
            along = torch.where(center | lost, torch.nan, along)
        else:
            along = (torch.where(center, 0.0, radius) - self.inner_radius) / (self.radius - self.inner_radius)
            along = torch.where(lost, torch.nan, along)
        return torch.stack([2 * along - 1, angle / math.pi - 1], dim=-1)


@stnkit.families.cached
def _lattice_places(
    chart: _Chart, size: tuple[int, ...], dtype: torch.dtype, device: torch.device
) -> Float[Tensor, "1 N 2"]:
    """The places of the pixel centers, computed in float64 and rounded once."""
    centers = coordinates.lattice(size, dtype=torch.float64, device=device)
    # Plane by plane in memory, as matrices read points.
    return chart.places(centers.view(1, -1, 2)).to(dtype).mT.contiguous().mT


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("polar", Polar)
