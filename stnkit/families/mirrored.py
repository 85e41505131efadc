"""The planar product with a symmetric basis that is read on one corner of the lattice only."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from stnkit.families.ordered_product import ordered_product


class Reflection(NamedTuple):
    """basis(p with one coordinate negated) = signs · basis(p)[order]: the symmetry of a basis across one coordinate.

    Args:
        order: index of the mirror image of each function.
        signs: 1, or −1 for a function that changes its sign.

    Example:
        >>> import torch, stnkit
        >>> def basis(points):  # of one coordinate
        ...     return torch.cat([points, (points - 1).abs(), (points + 1).abs()], dim=1)
        >>> reflection = stnkit.families.Reflection(torch.tensor([0, 2, 1]), torch.tensor([-1.0, 1.0, 1.0]))
        >>> points = torch.linspace(-1, 1, 5)[:, None]
        >>> torch.equal(basis(-points), reflection.signs * basis(points)[:, reflection.order])
        True
    """

    order: Int[Tensor, "K"]
    signs: Float[Tensor, "K"]


def corner(size: Sequence[int]) -> tuple[int, ...]:
    """The size of the first corner of a lattice, whose mirror images cover all of it, the middle included."""
    return tuple((n + 1) // 2 for n in size)


def mirrored_product(
    coefficients: Float[Tensor, "B ndim K"],
    basis: Float[Tensor, "K N"],
    reflections: Sequence[Reflection],
    size: Sequence[int],
) -> Float[Tensor, "B ndim *size"]:
    """The product coefficients · basis on the whole lattice, from the basis on its first corner.

    The mirror image of a function is another function of the basis, so the coefficients are permuted and not the
    functions: one product with all 2^ndim permuted forms reads the small basis once.

    Args:
        coefficients: one row for each element of the batch and coordinate.
        basis: on the first `corner(size)` of the lattice.
        reflections: one for each coordinate, x first.
        size: of the whole lattice.
    """
    mirrored = coefficients[None]
    for order, signs in reflections:
        # Σ c_k s_k b_{order(k)} = Σ (c · s)_{order⁻¹(k)} b_k, and a reflection is its own inverse.
        swapped = (mirrored * signs.to(mirrored))[..., order.to(mirrored.device)]
        mirrored = torch.cat([mirrored, swapped])
    corners = ordered_product(mirrored.reshape(-1, mirrored.shape[-1]), basis)
    corners = corners.view(*mirrored.shape[:-1], *corner(size))
    for coordinate, n in enumerate(reversed(size)):
        # x was swapped first, so that it changes fastest along the first axis.
        axis = corners.ndim - 1 - coordinate
        far = corners[1::2].flip(axis).narrow(axis, n % 2, n // 2)
        corners = torch.cat([corners[0::2], far], dim=axis)
    return corners[0]
