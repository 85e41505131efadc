"""A map of points that another map has found."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from stnkit import coordinates, portable
from stnkit.families.family import TransformFamily
from stnkit.families.given import check_family


def onward(
    family: TransformFamily, theta: Float[Tensor, "B P"], source: Float[Tensor, "#B N ndim"]
) -> Float[Tensor, "B N ndim"]:
    """T_θ(q) of points q that another map has found; those that it has lost keep their place outside.

    Without that a projective T_θ would bring them back: the images of all that is far away lie near its vanishing
    line, finite and anywhere. They have no gradient.

    Args:
        family: T.
        theta: θ.
        source: q, normalized. Where a coordinate is NaN or beyond `coordinates.NEAR`, q is lost.

    Raises:
        InputError: when θ or q do not fit the family.

    Example:
        >>> family = stnkit.build("transform", "projective")
        >>> theta = torch.tensor([[1, 0, 0, 0, 1, 0, 0.5, 0]])
        >>> onward(family, theta, torch.tensor([[[0.5, 1], [10_000, 10_000]]]))
        tensor([[[4.0000e-01, 8.0000e-01],
                 [1.0000e+04, 1.0000e+04]]])
    """
    if portable.is_scripted():  # without the mask, which is of comparisons
        margin = coordinates.NEAR - source.abs().amax(dim=-1, keepdim=True)
        return portable.chosen(margin, family(theta, source), source)
    check_family(family)
    coordinates.check_is_tensor("source", source)
    near = has_source(source)
    # Lost points pass as the center, where the map has finite values and gradients.
    return torch.where(near, family(theta, torch.where(near, source, 0.0)), source)


def has_source(points: Float[Tensor, "#B N ndim"]) -> Bool[Tensor, "#B N 1"]:
    """True for points with every coordinate within `coordinates.NEAR`; False for NaN.

    Args:
        points: normalized.
    """
    return points.detach().abs().amax(dim=-1, keepdim=True) < coordinates.NEAR
