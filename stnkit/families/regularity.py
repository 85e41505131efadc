"""Regularity of a map: its Jacobian matrix, the determinant, the folds and the bending energy, for any family.

All derivatives are exact, those of `forward`, in float64, and differentiable in θ. Coordinates are normalized.
"""

import math
import weakref
from collections.abc import Callable, Hashable, Sequence
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import vjp

from stnkit import coordinates
from stnkit.families.caching import TensorCache
from stnkit.families.family import TransformFamily
from stnkit.families.lattice_basis import planar_product
from stnkit.families.linear import LinearFamily
from stnkit.families.thresholds import BASIS_CACHE_BYTES
from stnkit.families.tracing import is_traced, is_transformed

PointMap = Callable[[Tensor], Tensor]

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
    theta = family.check_theta(theta)
    found, shape = _derivatives(family, theta, at, order=1)
    return found.to(theta.dtype).view(-1, *shape, family.ndim, family.ndim)


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
    theta = family.check_theta(theta)
    found, shape = _derivatives(family, theta, at, order=1)
    return _determinant(found).to(theta.dtype).view(-1, *shape)


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
    checked = family.check_theta(theta).detach()
    size = coordinates.check_size(size, family.ndim)
    step = max(1, CHUNK // max(1, len(checked)))
    # In one piece by the size, of which a basis may be cached.
    parts = [size] if math.prod(size) <= step else torch.split(_points(family, checked, size)[0], step, dim=1)
    found = [_determinant(_derivatives(family, checked, part, order=1)[0]) for part in parts]
    unfolded = torch.cat(found, dim=1) > 0  # false for NaN
    return 1 - unfolded.to(checked.dtype).mean(dim=1)


def bending_energy(family: TransformFamily, theta: Float[Tensor, "B P"], size: Sequence[int]) -> Float[Tensor, "B"]:
    """Mean over the pixel centers of Σ_ijk (∂²T_i/∂p_j∂p_k)², in normalized coordinates: 0 for affine maps alone.

    The integrand of the thin plate's energy. Its mean over the image converges with the size of the output. Edges
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

    Source: Rueckert et al., Nonrigid registration using free-form deformations, TMI 1999, equation 7.
    """
    theta, size = family.check_theta(theta), coordinates.check_size(size, family.ndim)
    if isinstance(family, LinearFamily) and _may_be_cached():
        # A square in the coefficients: for 256 splines of 28×28 without the 13 MB of their derivatives.
        coefficients, products = family._checked_coefficients(theta.double()).double(), _products(family, size, theta)
        return ((coefficients @ products) * coefficients).sum(dim=(1, 2)).clamp_min(0).to(theta.dtype)
    second, _ = _derivatives(family, theta, size, order=2)
    return second.square().sum(dim=(-3, -2, -1)).mean(dim=1).to(theta.dtype)


def _points(
    family: TransformFamily, theta: Tensor, at: Tensor | Sequence[int]
) -> tuple[Float[Tensor, "b N ndim"], tuple[int, ...]]:
    """The points in float64, and the shape of what is returned for each element of the batch."""
    if isinstance(at, Tensor):
        points = family.check_points(at, theta).double()
        return points, (points.shape[1],)
    size = coordinates.check_size(at, family.ndim)
    return coordinates.lattice(size, dtype=torch.float64, device=theta.device).view(1, -1, family.ndim), size


def _derivatives(
    family: TransformFamily, theta: Float[Tensor, "B P"], at: Tensor | Sequence[int], order: int
) -> tuple[Float[Tensor, "B N *ndims"], tuple[int, ...]]:
    """∂T_i/∂p_j for the first order, ∂²T_i/∂p_j∂p_k for the second, in float64; and the shape of the points."""
    points, shape = _points(family, theta, at)
    if isinstance(family, LinearFamily) and not isinstance(at, Tensor) and _may_be_cached():
        coefficients = family._checked_coefficients(theta.double()).double()
        basis = _basis(family, points, shape, order)
        found = planar_product(coefficients, basis.flatten(start_dim=1))
        return found.view(*coefficients.shape[:2], *basis.shape[1:]).transpose(1, 2), shape

    def point_map(points: Tensor) -> Tensor:
        return family(theta.double(), points)

    return _differentiated(point_map, order)(points), shape


# Of linear families, the derivatives of their bases and the mean products of these, which do not depend on θ.
_bases: "weakref.WeakKeyDictionary[LinearFamily, TensorCache[Tensor]]" = weakref.WeakKeyDictionary()


def _may_be_cached() -> bool:
    return not (is_traced() or is_transformed())


def _basis(
    family: LinearFamily, points: Float[Tensor, "1 N ndim"], size: tuple[int, ...], order: int
) -> Float[Tensor, "K N *ndims"]:
    """The derivatives of the basis functions at the pixel centers: cached, they cost as much as 64 splines of 28×28."""

    def derivatives() -> Tensor:
        found = _differentiated(lambda p: family.basis(p[0])[None], order)(points.clone())
        return found[0].transpose(0, 1).contiguous()

    return _cached(family, (size, order, points.device), derivatives)


def _products(family: LinearFamily, size: tuple[int, ...], like: Tensor) -> Float[Tensor, "K K"]:
    """The mean over the pixel centers of Σ_jk ∂²b/∂p_j∂p_k · ∂²b'/∂p_j∂p_k, for each two functions b and b'."""

    def products() -> Tensor:
        points, _ = _points(family, like, size)
        second = _basis(family, points, size, order=2).flatten(start_dim=1)
        return second @ second.T / points.shape[1]

    return _cached(family, (size, "products", like.device), products)


def _cached(family: LinearFamily, key: Hashable, make: Callable[[], Tensor]) -> Tensor:
    cache = _bases.setdefault(family, TensorCache(BASIS_CACHE_BYTES))
    found = cache.get(key)
    if found is None:
        # Plain tensors, fit to be cached.
        with torch.inference_mode(False), torch.no_grad():
            found = make()
        cache.put(key, found)
    return found


def _differentiated(point_map: PointMap, order: int) -> PointMap:
    for _ in range(order):
        point_map = partial(_derivative, point_map)
    return point_map


def _derivative(point_map: PointMap, points: Float[Tensor, "b N ndim"]) -> Float[Tensor, "B N *entries ndim"]:
    """The derivative of a map at each point in that point, by reverse mode alone.

    g_j(u) = Σ u · ∂T/∂p_j is linear in u, and its gradient in u is the derivative. So points that all maps share are
    not repeated for each, and a basis is evaluated once.
    Forward mode would take the tangent of an autograd.Function within another tangent for 0, without an error.
    """
    values, pull = vjp(point_map, points)[:2]
    _, pull_u = vjp(lambda u: pull(u)[0].sum(dim=(0, 1)), torch.zeros_like(values))[:2]
    axes = torch.eye(points.shape[-1], dtype=points.dtype, device=points.device)
    return torch.stack([pull_u(axis)[0] for axis in axes], dim=-1)


def _determinant(matrix: Float[Tensor, "B N ndim ndim"]) -> Float[Tensor, "B N"]:
    # Written out, for a gradient at singular matrices too, and in a fraction of the time of an LU decomposition.
    if matrix.shape[-1] == 2:
        (a, b), (c, d) = (row.unbind(dim=-1) for row in matrix.unbind(dim=-2))
        return a * d - b * c
    first, second, third = matrix.unbind(dim=-2)
    return (first * torch.linalg.cross(second, third)).sum(dim=-1)
