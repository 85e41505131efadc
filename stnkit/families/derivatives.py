"""Derivatives of a map in its points, of any family and to any order, with a cache for those of linear families."""

import math
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import TypeGuard

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import vjp

from stnkit import coordinates
from stnkit.families.family import TransformFamily
from stnkit.families.lattice_basis import planar_product
from stnkit.families.linear import LinearFamily
from stnkit.families.thresholds import BASIS_CACHE_BYTES
from stnkit.families.tracing import has_weights, is_plain_eager, is_traced, is_transformed, needs_gradient

# Points at which the second derivatives of a basis are taken at once.
CHUNK = 2**12

PointMap = Callable[[Tensor], Tensor]


def points_at(
    family: TransformFamily, theta: Tensor, at: Tensor | Sequence[int]
) -> tuple[Float[Tensor, "b N ndim"], tuple[int, ...]]:
    """The points in float64, and the shape of what is returned for each element of the batch.

    Args:
        family: of the map.
        theta: checked.
        at: points, for each element or the same for all; or a size, for its pixel centers.
    """
    if isinstance(at, Tensor):
        points = family.check_points(at, theta).double()
        return points, (points.shape[1],)
    size = coordinates.check_size(at, family.ndim)
    return coordinates.lattice(size, dtype=torch.float64, device=theta.device).view(1, -1, family.ndim), size


def derivatives(
    family: TransformFamily, theta: Float[Tensor, "B P"], at: Tensor | Sequence[int], order: int
) -> tuple[Float[Tensor, "B N *ndims"], tuple[int, ...]]:
    """∂T_i/∂p_j for the first order, ∂²T_i/∂p_j∂p_k for the second, in float64; and the shape of the points.

    Args:
        family: of the map.
        theta: checked.
        at: as `points_at` takes it.
        order: 1 or 2.
    """
    if not isinstance(at, Tensor) and basis_may_be_cached(family):
        size = coordinates.check_size(at, family.ndim)
        coefficients = coefficients_of(family, theta)
        n_bytes = 8 * coefficients.shape[-1] * math.prod(size) * family.ndim**order
        if n_bytes <= BASIS_CACHE_BYTES:
            basis = _cached(
                family, (size, order, theta.device), lambda: _basis(family, points_at(family, theta, size)[0][0], order)
            )
            found = planar_product(coefficients, basis.flatten(start_dim=1))
            return found.view(*coefficients.shape[:2], *basis.shape[1:]).transpose(1, 2), size
    points, shape = points_at(family, theta, at)

    def point_map(points: Tensor) -> Tensor:
        return family(theta.double(), points)

    return depending_on(theta, _differentiated(point_map, points, order, theta, *family.parameters())), shape


def depending_on(theta: Float[Tensor, "B P"], values: Float[Tensor, "B *any"]) -> Float[Tensor, "B *any"]:
    """The same values with a gradient in θ, which is 0 where they are constant, as the Jacobian of a translation.

    Args:
        theta: one row of parameters for each element of the batch.
        values: for each element.
    """
    if values.requires_grad or not needs_gradient(theta):
        return values
    # A sum of no entries: 0 times θ would be NaN where θ is not finite.
    return values + theta[:, :0].sum(dim=1).to(values.dtype).view(-1, *[1] * (values.ndim - 1))


def basis_may_be_cached(family: TransformFamily) -> TypeGuard[LinearFamily]:
    """True where derivatives of the basis of a family may be read from the cache and written to it.

    Args:
        family: of any kind.
    """
    if not isinstance(family, LinearFamily) or has_weights(family):
        return False  # weights may be learned, and change
    return not (is_traced() or is_transformed())


def mean_products(family: LinearFamily, size: tuple[int, ...], like: Tensor) -> Float[Tensor, "K K"]:
    """The mean over the pixel centers of Σ_jk ∂²b/∂p_j∂p_k · ∂²b'/∂p_j∂p_k, for each two functions b and b'.

    Args:
        family: that has the basis.
        size: of the output whose pixel centers are taken.
        like: a tensor on the device to compute on.
    """

    def products() -> Tensor:
        points = points_at(family, like, size)[0][0]
        # In chunks: the derivatives of a volume would take gigabytes.
        parts = (_basis(family, part, order=2).flatten(start_dim=1) for part in torch.split(points, CHUNK))
        return sum((part @ part.T for part in parts), points.new_zeros(())) / len(points)

    return _cached(family, (size, "products", like.device), products)


def _basis(family: LinearFamily, points: Float[Tensor, "N ndim"], order: int) -> Float[Tensor, "K N *ndims"]:
    """The derivatives of the basis functions; they cost as much as those of 64 splines of 28×28."""
    found = _differentiated(lambda p: family.basis(p[0])[None], points[None], order)
    return found[0].transpose(0, 1).contiguous()


def _cached(family: LinearFamily, key: Hashable, make: Callable[[], Tensor]) -> Tensor:
    cache = family._derivatives
    found = cache.get(key)
    if found is None:
        # Plain tensors, fit to be cached.
        with torch.inference_mode(False), torch.no_grad():
            found = make()
        cache.put(key, found)
    return found


def coefficients_of(family: LinearFamily, theta: Float[Tensor, "B P"]) -> Float[Tensor, "B ndim K"]:
    """The coefficients of the basis functions in float64.

    Args:
        family: of the map.
        theta: one row of parameters for each element of the batch.
    """
    return family._checked_coefficients(theta.double()).double()


def _differentiated(
    point_map: PointMap, points: Float[Tensor, "b N ndim"], order: int, *others: Tensor
) -> Float[Tensor, "B N *entries ndim"]:
    """The derivative of an order; `others` are what the map depends on beside its points."""
    given = points, *others
    if is_plain_eager() and not needs_gradient(*given) and not any(tensor.is_inference() for tensor in given):
        return _recorded(point_map, points, order)
    for _ in range(order):
        point_map = partial(_derivative, point_map)
    return point_map(points)


def _recorded(point_map: PointMap, points: Float[Tensor, "b N ndim"], order: int) -> Float[Tensor, "B N *entries ndim"]:
    """As `_derivative`, but a constant, from the graph that autograd records.

    torch.func imports all of torch._dynamo for a pull-back inside another: a second of a process that only looks at a
    map. Where a gradient is wanted it is faster, since the points have none.
    """
    with torch.enable_grad():
        at = points.detach().requires_grad_()
        axes = torch.eye(points.shape[-1], dtype=points.dtype, device=points.device)
        found = point_map(at)
        for _ in range(order):
            u = torch.zeros_like(found, requires_grad=True)
            sums = _pulled(found, at, u).sum(dim=(0, 1))
            found = torch.stack([_pulled(sums, u, axis) for axis in axes], dim=-1)
    return found.detach()


def _pulled(values: Tensor, inputs: Tensor, gradient: Tensor) -> Tensor:
    """The pull-back of a gradient, 0 where the values do not depend on the inputs."""
    if not values.requires_grad:
        return torch.zeros_like(inputs)
    (pulled,) = torch.autograd.grad(values, inputs, gradient, create_graph=True, materialize_grads=True)
    return pulled


def _derivative(point_map: PointMap, points: Float[Tensor, "b N ndim"]) -> Float[Tensor, "B N *entries ndim"]:
    """The derivative of a map at each point in that point, by reverse mode alone.

    g_j(u) = Σ u · ∂T/∂p_j is linear in u, and its gradient in u is the derivative. So points that all maps share are
    not repeated for each, and a basis is evaluated once. Forward mode would take the tangent of an autograd.Function
    within another tangent for 0, without an error.
    """
    values, pull = vjp(point_map, points)[:2]
    _, pull_u = vjp(lambda u: pull(u)[0].sum(dim=(0, 1)), torch.zeros_like(values))[:2]
    axes = torch.eye(points.shape[-1], dtype=points.dtype, device=points.device)
    return torch.stack([pull_u(axis)[0] for axis in axes], dim=-1)
