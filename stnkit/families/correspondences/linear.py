"""θ of maps that are affine in θ, by weighted linear least squares in closed form."""

import torch
from jaxtyping import Float
from torch import Tensor

from stnkit.families.correspondences.degrees_of_freedom import EQUATIONS
from stnkit.families.correspondences.least_squares import (
    column_scales,
    is_regular,
    normal_solution,
    rank_of,
    solve_by_qr,
    undetermined,
)
from stnkit.families.correspondences.levenberg_marquardt import gauss_newton
from stnkit.families.correspondences.local import LocalFunctions, local_least_squares
from stnkit.families.correspondences.scattered_points import scattered_points
from stnkit.families.correspondences.stationary_point import PointMap
from stnkit.families.thresholds import DENSE_FIT
from stnkit.families.tracing import is_transformed


def linear_least_squares(
    point_map: PointMap,
    identity: Float[Tensor, "P"],
    target: Float[Tensor, "B N ndim"],
    source: Float[Tensor, "B N ndim"],
    weights: Float[Tensor, "B N"],
    functions: LocalFunctions | None = None,
) -> Float[Tensor, "B P"]:
    """The θ of least Σ w ‖T_θ(p) − q‖² for a T that is affine in θ, in closed form.

    The columns of the system are T of the unit vectors less T of 0, which the points alone determine; where no entry
    of θ acts on more than one coordinate, each coordinate is solved for by itself. Differentiable in points and
    weights, twice. Points that do not determine θ are left to `gauss_newton`. The system is dense: N × P numbers for
    each coordinate.

    Args:
        point_map: T, called with θ and points in float64; affine in θ.
        identity: the θ with which `gauss_newton` starts.
        target: p, in float64.
        source: q, in float64.
        weights: w, at least 0.
        functions: for a planar θ of F entries for each coordinate, and a T whose coordinate d is that at θ = 0 and
            Σ_s θ[d, k_s] b_s: called with points (B, N, ndim), it gives the indices k and the values b, (B, N, S) each,
            of the functions that are not 0 at each point, differentiable in the points.

    Raises:
        InputError: when the points do not determine the map.

    Example:
        >>> import torch, stnkit
        >>> affine = stnkit.build("transform", "affine")
        >>> corners = stnkit.coordinates.corners(2)[None]
        >>> theta = stnkit.families.linear_least_squares(
        ...     affine, affine.identity(), corners, 2 * corners, torch.ones(1, 4, dtype=torch.float64)
        ... )
        >>> theta.round(decimals=6) + 0.0
        tensor([[2., 0., 0., 0., 2., 0.]], dtype=torch.float64)
    """
    batch, n_points, ndim = target.shape
    n_params = len(identity)
    origin = torch.zeros(1, n_params, dtype=target.dtype, device=target.device)
    if functions is not None and n_points * n_params > DENSE_FIT and not is_transformed():
        values = source - point_map(origin.expand(batch, -1), target)
        found = local_least_squares(functions, n_params // ndim, target, values, weights)
        if found is not None:
            return found.flatten(1)
    units = torch.eye(n_params, dtype=target.dtype, device=target.device)
    # As one set of points, which all unit vectors share.
    together = target.reshape(1, -1, ndim)
    constant = point_map(origin, together)
    values = source - constant.view(batch, n_points, ndim)
    matrix = (point_map(units, together) - constant).movedim(0, -1).view(batch, n_points, ndim, n_params)
    separate = _separate(matrix)
    if separate is not None:
        matrix, values = separate, values.transpose(1, 2).flatten(0, 1)
        rows_of_weights = weights.repeat_interleave(ndim, dim=0)
    else:
        matrix, values = matrix.flatten(1, 2), values.flatten(1)
        rows_of_weights = weights.repeat_interleave(ndim, dim=1)
    root = rows_of_weights.detach().sqrt()[..., None]
    weighted = root * matrix.detach()
    if not bool(is_regular(weighted).all()):
        if separate is not None:
            _check_determined(point_map, units, weighted, weights)
        return gauss_newton(point_map, identity.expand(batch, -1), target, source, weights)
    return _solution(matrix, values, rows_of_weights, weighted).view(batch, n_params)


def _separate(matrix: Float[Tensor, "B N ndim P"]) -> Float[Tensor, "B_times_ndim N F"] | None:
    """The columns of each coordinate, with F = P / ndim, where no entry of θ acts on another; None where one does."""
    batch, n_points, ndim, n_params = matrix.shape
    if n_params % ndim:
        return None
    blocks = matrix.view(batch, n_points, ndim, ndim, n_params // ndim)
    beside = ~torch.eye(ndim, dtype=torch.bool, device=matrix.device)
    if bool((blocks.detach() * beside[..., None]).any()):
        return None
    return torch.stack([blocks[:, :, d, d] for d in range(ndim)], dim=1).flatten(0, 1)


def _check_determined(
    point_map: PointMap, units: Float[Tensor, "P P"], weighted: Float[Tensor, "BD N F"], weights: Float[Tensor, "B N"]
) -> None:
    """Raise an InputError unless points determine the map on the image as far as any do.

    By the rank of each coordinate, which is that of the derivative for every θ. `gauss_newton` finds the same at the
    end of its steps, of P columns.

    Raises:
        InputError: when they do not.
    """
    batch, ndim, n_functions = len(weights), len(weighted) // len(weights), weighted.shape[2]
    everywhere = scattered_points(max(8**ndim, EQUATIONS * n_functions), ndim).to(weighted)
    on_image = (point_map(units, everywhere) - point_map(torch.zeros_like(units[:1]), everywhere)).movedim(0, -1)
    columns = _separate(on_image.view(1, -1, ndim, len(units)))
    if columns is None:  # an entry acts on another coordinate elsewhere
        return
    found, possible = rank_of(weighted).view(batch, ndim).sum(dim=1), int(rank_of(columns).sum())
    for index in (found < possible).nonzero()[:, 0].tolist():
        raise undetermined(weights[index], index, int(found[index]), possible)


def _solution(
    matrix: Float[Tensor, "B M P"],
    values: Float[Tensor, "B M"],
    weights: Float[Tensor, "B M"],
    weighted: Float[Tensor, "B M P"],
) -> Float[Tensor, "B P"]:
    """X of least Σ w (A x − v)²: by QR, and two steps of refinement that carry the first two derivatives."""
    root, scales = weights.detach().sqrt(), column_scales(weighted)
    found, r = solve_by_qr(weighted / scales[:, None], root * values.detach())
    x = found / scales
    # With R a constant a step removes the error of order k and leaves that of order k + 1. Weights are not under a
    # root here, which has no derivative at 0.
    for _ in range(2):
        missing = weights * (values - (matrix @ x[..., None])[..., 0])
        right = (matrix.mT @ missing[..., None])[..., 0] / scales
        x = x + normal_solution(r, right) / scales
    return x
