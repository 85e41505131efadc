"""Equivariance: a loss on θ that asks for the same output when an image is warped by a known transform."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from stnkit import coordinates
from stnkit.distortions import pose_theta, uniform
from stnkit.experiments.losses.nodes import SMALLEST, centered, comparison_nodes
from stnkit.experiments.schema import EquivarianceConfig
from stnkit.families.family import TransformFamily
from stnkit.families.onward import onward
from stnkit.samplers.sampler import Sampler

# The range of Δ where neither the config nor the distortion has one.
DEGREES, SCALE, SHIFT = 45.0, 1.2, 0.0


class Similarity(NamedTuple):
    """Δ(p) = A p + t, one for each image, in normalized coordinates."""

    linear: Float[Tensor, "B 2 2"]
    shift: Float[Tensor, "B 2"]

    def of(self, images: slice) -> "Similarity":
        """Those of some of the images."""
        return Similarity(self.linear[images], self.shift[images])

    def __call__(self, points: Float[Tensor, "#B N 2"]) -> Float[Tensor, "B N 2"]:
        """Δ of points."""
        linear, shift = self.linear.to(points), self.shift.to(points)
        return points @ linear.mT + shift[:, None]


class Drawn(NamedTuple):
    """Δ(p) = T_θ(p) with the θ that a distortion has drawn, one for each image."""

    family: TransformFamily
    theta: Float[Tensor, "B P"]

    def __call__(self, points: Float[Tensor, "#B N 2"]) -> Float[Tensor, "B N 2"]:
        """Δ of points."""
        return onward(self.family, self.theta.to(points), points.expand(len(self.theta), -1, -1))


Delta = Similarity | Drawn


def draw_delta(
    n: int, config: EquivarianceConfig, size: Sequence[int], generator: torch.Generator, device: torch.device
) -> Similarity:
    """Small random similarities about the center of the image.

    Args:
        n: number of similarities.
        config: their range.
        size: (H, W) of the images.
        generator: of the CPU.
        device: of the result.
    """
    widest = DEGREES if config.degrees is None else config.degrees
    largest = SCALE if config.scale is None else config.scale
    farthest = SHIFT if config.shift is None else config.shift
    degrees = uniform(n, -widest, widest, generator)
    scale = largest ** uniform(n, -1, 1, generator)
    sides = torch.tensor([size[1], size[0]], dtype=torch.float64)
    shift = torch.stack([uniform(n, -farthest, farthest, generator) for _ in sides], dim=1) * sides
    matrix = pose_theta(degrees, scale, shift, size, size).view(n, 2, 3).to(device)
    return Similarity(matrix[:, :, :2], matrix[:, :, 2])


def warped(images: Float[Tensor, "B C *size"], delta: Delta, sampler: Sampler) -> Float[Tensor, "B C *size"]:
    """x∘Δ, without a gradient.

    Args:
        images: x.
        delta: one for each image.
        sampler: of the transformer.
    """
    size = tuple(images.shape[2:])
    with torch.no_grad(), coordinates.full_precision(images):
        lattice = coordinates.lattice(size, device=images.device).view(1, -1, 2)
        return sampler(images, delta(lattice).view(len(images), *size, 2))


def equivariance_error(
    family: TransformFamily, theta: Float[Tensor, "B P"], theta_warped: Float[Tensor, "B P"], delta: Delta
) -> Float[Tensor, ""]:
    """Distance of the maps Δ∘T_θ' and T_θ: 0 when the transformer's outputs of x and x' = x∘Δ are the same.

    The transformer's output is x∘T_θ for x, and x∘Δ∘T_θ' for x'. The two maps are compared at the comparison nodes
    p: their centers c in half images, the points about the centers in units of the mean extent of the two maps, mean
    over the batch of

        |c' − c|² + Σ |(Δ(T_θ'(p)) − c') − (T_θ(p) − c)|² / ½ Σ (|Δ(T_θ'(p)) − c'|² + |T_θ(p) − c|²).

    A plain squared distance falls with every map that shrinks, so that transformers would zoom in instead of
    turning. A transformer with a constant θ has 2 (1 − cos δ) for a rotation by δ. Both maps end in the image, so T may
    be a chart. Needs only the family's `forward`, and computes in float32 or wider, also under autocast.

    Args:
        family: of the transformer.
        theta: θ, of the images x.
        theta_warped: θ', of the images x∘Δ.
        delta: Δ, one for each image.
    """
    with coordinates.full_precision(theta):
        nodes = comparison_nodes(family.ndim, theta)
        source, source_warped = family(theta, nodes), delta(family(theta_warped, nodes))
        center, spread = centered(source)
        center_warped, spread_warped = centered(source_warped)
        extent = (spread.square().sum(dim=(1, 2)) + spread_warped.square().sum(dim=(1, 2))) / 2
        shift = (center_warped - center).square().sum(dim=(1, 2))
        shape = (spread_warped - spread).square().sum(dim=(1, 2)) / extent.clamp(min=SMALLEST)
        return (shift + shape).mean()
