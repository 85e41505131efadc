"""Equivariance: an image that is warped once more by a known transform is to be brought to the same place."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from stnkit import coordinates
from stnkit.distortions import pose_theta, uniform
from stnkit.errors import InputError
from stnkit.experiments.schema import EquivarianceConfig
from stnkit.families.family import TransformFamily
from stnkit.samplers.sampler import Sampler

# Maps are compared at the nodes of a lattice of so many on each side.
NODES = 4
# A map whose nodes have less of an extent is a collapse to a point, and has no unit of its own.
SMALLEST = 1e-6
# Half images: of points beyond, as there are near a horizon, one would outweigh all others.
FARTHEST = 10.0


class Delta(NamedTuple):
    """Δ(p) = A p + t, one for each image, in normalized coordinates."""

    linear: Float[Tensor, "B 2 2"]
    shift: Float[Tensor, "B 2"]

    def __call__(self, points: Float[Tensor, "#B N 2"]) -> Float[Tensor, "B N 2"]:
        """Δ of points."""
        linear, shift = self.linear.to(points), self.shift.to(points)
        return points @ linear.mT + shift[:, None]


def draw_delta(
    n: int, config: EquivarianceConfig, size: Sequence[int], generator: torch.Generator, device: torch.device
) -> Delta:
    """Small random similarities about the center of the image.

    Args:
        n: how many.
        config: their range.
        size: (H, W) of the images.
        generator: of the CPU.
        device: of the result.
    """
    degrees = uniform(n, -config.degrees, config.degrees, generator)
    scale = config.scale ** uniform(n, -1, 1, generator)
    sides = torch.tensor([size[1], size[0]], dtype=torch.float64)
    shift = torch.stack([uniform(n, -config.shift, config.shift, generator) for _ in sides], dim=1) * sides
    matrix = pose_theta(degrees, scale, shift, size, size).view(n, 2, 3).to(device)
    return Delta(matrix[:, :, :2], matrix[:, :, 2])


def warped(images: Float[Tensor, "B C *size"], delta: Delta, sampler: Sampler) -> Float[Tensor, "B C *size"]:
    """x∘Δ, without a gradient.

    Args:
        images: x.
        delta: one for each image.
        sampler: reads the images.
    """
    size = tuple(images.shape[2:])
    with torch.no_grad(), coordinates.full_precision(images):
        lattice = coordinates.lattice(size, device=images.device).view(1, -1, 2)
        return sampler(images, delta(lattice).view(len(images), *size, 2))


def equivariance_error(
    family: TransformFamily, theta: Float[Tensor, "B P"], theta_warped: Float[Tensor, "B P"], delta: Delta
) -> Float[Tensor, ""]:
    """How far the maps Δ∘T_θ' and T_θ are apart: 0 when x and x' = x∘Δ are brought to the same place.

    What the transformer makes of x is x∘T_θ, and of x' it is x∘Δ∘T_θ': the same image where the two maps are the
    same. They are compared at the nodes p of a lattice, their centers c in half images and the points about them
    in units of the mean extent of the two maps, mean over the batch of

        |c' − c|² + Σ |(Δ(T_θ'(p)) − c') − (T_θ(p) − c)|² / ½ Σ (|Δ(T_θ'(p)) − c'|² + |T_θ(p) − c|²).

    A plain squared distance would fall with every map that shrinks, and transformers would zoom in instead of
    turning. A transformer that does not look at its images has 2 (1 − cos δ) for a rotation by δ. Needs the family's
    `forward` and nothing else, and is in float32 or wider under autocast too.

    Args:
        family: of the transformer.
        theta: θ, of the images x.
        theta_warped: θ', of the images x∘Δ.
        delta: Δ, one for each image.
    """
    with coordinates.full_precision(theta):
        nodes = coordinates.lattice((NODES,) * family.ndim, dtype=theta.dtype, device=theta.device)
        nodes = nodes.view(1, -1, family.ndim)
        source, source_warped = family(theta, nodes), delta(family(theta_warped, nodes))
        center, spread = _split(source)
        center_warped, spread_warped = _split(source_warped)
        extent = (spread.square().sum(dim=(1, 2)) + spread_warped.square().sum(dim=(1, 2))) / 2
        place = (center_warped - center).square().sum(dim=(1, 2))
        shape = (spread_warped - spread).square().sum(dim=(1, 2)) / extent.clamp(min=SMALLEST)
        return (place + shape).mean()


def _split(points: Float[Tensor, "B N ndim"]) -> tuple[Float[Tensor, "B 1 ndim"], Float[Tensor, "B N ndim"]]:
    """The center of points, and the points about it; what lies at a horizon is moved to within reach."""
    points = coordinates.finite(points, FARTHEST)
    center = points.mean(dim=1, keepdim=True)
    return center, points - center


def check_equivariance(config: EquivarianceConfig) -> None:
    """Raise an InputError when a number of the section is out of its range."""
    allowed = {"weight": (0, float("inf")), "degrees": (0, 180), "scale": (1, float("inf")), "shift": (0, float("inf"))}
    for name, (low, high) in allowed.items():
        value = getattr(config, name)
        if not (low <= value <= high and value < float("inf")):
            limits = f"between {low} and {high}" if high < float("inf") else f"{low} or more"
            raise InputError(f"training.equivariance.{name} must be {limits}, but {value} was given")
