"""The planar product with a basis that is known on one corner of the lattice, because it is symmetric."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor


class Reflection(NamedTuple):
    """basis(p with one coordinate negated) = signs · basis(p)[order]: how a symmetric basis is seen in a mirror.

    Args:
        order: which function each one becomes.
        signs: 1, or −1 for a function that changes its sign.
    """

    order: Int[Tensor, "K"]
    signs: Float[Tensor, "K"]


def corner(size: Sequence[int]) -> tuple[int, ...]:
    """The size of the part of a lattice whose mirror images are all of it, the middle included."""
    return tuple((n + 1) // 2 for n in size)


def mirrored_product(
    coefficients: Float[Tensor, "B ndim K"],
    basis: Float[Tensor, "K N"],
    reflections: Sequence[Reflection],
    size: Sequence[int],
) -> Float[Tensor, "B ndim *size"]:
    """The product coefficients · basis on the whole lattice, from the basis on its first corner.

    The mirror image of a function is another one of the basis, so that the coefficients are exchanged and not the
    functions: one product with all 2^ndim exchanged forms reads the small basis once.

    Args:
        coefficients: one row for each element of the batch and coordinate.
        basis: on the first `corner(size)` of the lattice.
        reflections: one for each coordinate, x first.
        size: of the whole lattice.
    """
    seen = coefficients[None]
    for order, signs in reflections:
        # Σ c_k s_k b_{order(k)} = Σ (c · s)_{order⁻¹(k)} b_k, and a reflection is its own inverse.
        exchanged = (seen * signs.to(seen))[..., order.to(seen.device)]
        seen = torch.cat([seen, exchanged])
    parts = (seen.reshape(-1, seen.shape[-1]) @ basis).view(*seen.shape[:-1], *corner(size))
    for coordinate, n in enumerate(reversed(size)):
        # x was exchanged first, so that it changes fastest along the first axis.
        axis = parts.ndim - 1 - coordinate
        far = parts[1::2].flip(axis).narrow(axis, n % 2, n // 2)
        parts = torch.cat([parts[0::2], far], dim=axis)
    return parts[0]
