"""Regularity of a map: its Jacobian matrix, the determinant, the folds and the bending energy, for any family.

All derivatives are exact, those of `forward`, in float64, and differentiable in θ. Coordinates are normalized.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from stnkit import coordinates
from stnkit.families.derivatives import (
    basis_may_be_cached,
    coefficients_of,
    depending_on,
    derivatives,
    mean_products,
    points_at,
)
from stnkit.families.family import TransformFamily
from stnkit.families.given import check_family
from stnkit.families.results import check_result

# Points of all maps together, in which folds are counted at once: the derivatives of a volume would take gigabytes.
CHUNK = 2**18


def jacobian(
    family: TransformFamily, theta: Float[Tensor, "B P"], at: Float[Tensor, "#B N ndim"] | Sequence[int]
) -> Float[Tensor, "B *at ndim ndim"]:
    """J[i, j] = ∂T_i/∂p_j, in normalized coordinates: the identity has J = I on an image of any size.

    Behind the horizon of a projective map, where no source exists, J is 0.

    Args:
        family: of the map T_θ.
        theta: one row of parameters for each element of the batch.
        at: target points, for each element or (batch of 1) the same for all; or a size, (H, W) or (D, H, W), for its
            pixel centers.

    Returns:
        One matrix for each point, (B, N, ndim, ndim), or for each pixel, (B, *size, ndim, ndim), in the dtype of θ and
        at least float32; x is the first coordinate.

    Raises:
        InputError: when θ, the points or the size do not fit the family.

    Example:
        >>> import torch, stnkit
        >>> affine = stnkit.build("transform", "affine")
        >>> stnkit.families.jacobian(affine, torch.tensor([[2.0, 1, 0, 0, 3, 0]]), (1, 1))
        tensor([[[[[2., 1.],
                   [0., 3.]]]]])
    """
    check_family(family)
    theta = family.check_theta(theta)
    found, shape = derivatives(family, theta, at, order=1)
    return found.to(theta.dtype).view(found.shape[0], *shape, family.ndim, family.ndim)


def jacobian_determinant(
    family: TransformFamily, theta: Float[Tensor, "B P"], at: Float[Tensor, "#B N ndim"] | Sequence[int]
) -> Float[Tensor, "B *at"]:
    """The determinant of J: the area (volume) that T_θ gives to a unit of area, negative where it turns it over.

    In normalized coordinates: 1 for the identity, on an image of any size. An output of `size` read from an input of
    `in_size` pixels has ∏ in_size / ∏ size times as many input pixels to an output pixel.

    Args:
        family: of the map T_θ.
        theta: one row of parameters for each element of the batch.
        at: target points, for each element or (batch of 1) the same for all; or a size, (H, W) or (D, H, W), for its
            pixel centers.

    Returns:
        (B, N) for points, (B, *size) for a size, in the dtype of θ and at least float32; 0 behind the horizon of a
        projective map.

    Raises:
        InputError: when θ, the points or the size do not fit the family.

    Example:
        >>> import torch, stnkit
        >>> affine = stnkit.build("transform", "affine")
        >>> stnkit.jacobian_determinant(affine, torch.tensor([[2.0, 1, 0, 0, 3, 0]]), (1, 2))
        tensor([[[6., 6.]]])
    """
    check_family(family)
    theta = family.check_theta(theta)
    found, shape = derivatives(family, theta, at, order=1)
    return determinant(found).to(theta.dtype).view(found.shape[0], *shape)


def folds(family: TransformFamily, theta: Float[Tensor, "B P"], size: Sequence[int]) -> Float[Tensor, "B"]:
    """The share of the pixel centers of an output at which T_θ folds: the determinant of J is not above 0.

    Points behind the horizon of a projective map, which have no source, count as folded. Between the pixel centers a
    map may fold unseen. The share is piecewise constant, so its gradient in θ is 0.

    Args:
        family: of the map T_θ.
        theta: one row of parameters for each element of the batch.
        size: of the output, (H, W) or (D, H, W).

    Returns:
        0 to 1, one for each element of the batch.

    Raises:
        InputError: when θ or the size does not fit the family.

    Example:
        >>> import torch, stnkit
        >>> affine = stnkit.build("transform", "affine")
        >>> stnkit.folds(affine, torch.tensor([[1.0, 0, 0, 0, 1, 0], [-1.0, 0, 0, 0, 1, 0]]), (8, 8))
        tensor([0., 1.])
    """
    check_family(family)
    checked = family.check_theta(theta).detach()
    size = coordinates.check_size(size, family.ndim)
    step = max(1, CHUNK // max(1, len(checked)))
    # In one piece by the size, of which a basis may be cached.
    parts = [size] if math.prod(size) <= step else torch.split(points_at(family, checked, size)[0], step, dim=1)
    found = [determinant(derivatives(family, checked, part, order=1)[0]) for part in parts]
    unfolded = torch.cat(found, dim=1) > 0  # false for NaN
    return 1 - unfolded.to(checked.dtype).mean(dim=1)


def bending_energy(family: TransformFamily, theta: Float[Tensor, "B P"], size: Sequence[int]) -> Float[Tensor, "B"]:
    """Mean over the pixel centers of Σ_ijk (∂²T_i/∂p_j∂p_k)², in normalized coordinates: 0 for affine maps alone.

    The integrand of the thin plate's energy. Its mean over the image converges with the size of the output, but for
    splines of the kernel −r in two dimensions, whose own energy is infinite: there it grows as log(size). Edges
    between the pieces of a map have no area: one that is affine in pieces has 0, and so has a displacement field along
    each axis, however rough it is.

    Args:
        family: of the map T_θ.
        theta: one row of parameters for each element of the batch.
        size: of the output whose pixel centers are taken, (H, W) or (D, H, W).

    Returns:
        At least 0, one for each element of the batch, in the dtype of θ and at least float32.

    Raises:
        InputError: when θ or the size does not fit the family.

    Example:
        >>> import torch, stnkit
        >>> spline = stnkit.build("transform", "tps", control_points=[3, 3])
        >>> bent = 1.1 * spline.identity()[None]
        >>> stnkit.bending_energy(spline, bent, (8, 8)).abs() < 1e-12  # a scaling is affine
        tensor([True])

    Source: Rueckert et al., Nonrigid registration using free-form deformations, TMI 1999, the penalty of smoothness.
    """
    check_family(family)
    theta, size = family.check_theta(theta), coordinates.check_size(size, family.ndim)
    if basis_may_be_cached(family):
        # A square in the coefficients, which takes 0.5 ms for 64 splines of 28×28 and not 100.
        coefficients, products = coefficients_of(family, theta), mean_products(family, size, theta)
        return ((coefficients @ products) * coefficients).sum(dim=(1, 2)).clamp_min(0).to(theta.dtype)
    known = family._bending_energy(theta.double(), size)
    if known is not None:
        check_result(family, "_bending_energy", known, (theta.shape[0],))
        return depending_on(theta, known.to(theta.dtype))
    second, _ = derivatives(family, theta, size, order=2)
    return second.square().sum(dim=(-3, -2, -1)).mean(dim=1).to(theta.dtype)


def determinant(matrix: Float[Tensor, "*batch ndim ndim"]) -> Float[Tensor, "*batch"]:
    """The determinant of matrices of two or three rows.

    Args:
        matrix: one or many.
    """
    # Written out, for a gradient at singular matrices too, and in a fraction of the time of an LU decomposition.
    if matrix.shape[-1] == 2:
        (a, b), (c, d) = (row.unbind(dim=-1) for row in matrix.unbind(dim=-2))
        return a * d - b * c
    first, second, third = matrix.unbind(dim=-2)
    return (first * torch.linalg.cross(second, third)).sum(dim=-1)
