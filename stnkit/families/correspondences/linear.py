"""θ of maps that are affine in θ, by weighted linear least squares in closed form."""

import torch
from jaxtyping import Float
from torch import Tensor

from stnkit.families.correspondences.least_squares import column_scales, is_regular, normal_solution, solve_by_qr
from stnkit.families.correspondences.levenberg_marquardt import gauss_newton
from stnkit.families.correspondences.local import LocalFunctions, local_least_squares
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
    columns = (point_map(units, together) - constant).view(n_params, batch, n_points, ndim)
    values = source - constant.view(batch, n_points, ndim)
    matrix = columns.movedim(0, -1)
    blocks = matrix.view(batch, n_points, ndim, -1, n_params // ndim) if n_params % ndim == 0 else None
    if blocks is not None and _is_separate(blocks):
        # (B, ndim, N, F): the entries of θ that act on a coordinate, and the values of this coordinate.
        matrix = torch.stack([blocks[:, :, d, d] for d in range(ndim)], dim=1).flatten(0, 1)
        values = values.transpose(1, 2).flatten(0, 1)
        rows_of_weights = weights.repeat_interleave(ndim, dim=0)
    else:
        matrix, values = matrix.flatten(1, 2), values.flatten(1)
        rows_of_weights = weights.repeat_interleave(ndim, dim=1)
    root = rows_of_weights.detach().sqrt()[..., None]
    weighted = root * matrix.detach()
    if not bool(is_regular(weighted).all()):
        return gauss_newton(point_map, identity.expand(batch, -1), target, source, weights)
    return _solution(matrix, values, rows_of_weights, weighted).view(batch, n_params)


def _is_separate(blocks: Float[Tensor, "B N ndim ndim F"]) -> bool:
    """True if the entries of each block act on its own coordinate alone."""
    ndim = blocks.shape[2]
    beside = ~torch.eye(ndim, dtype=torch.bool, device=blocks.device)
    return not bool((blocks.detach() * beside[..., None]).any())


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
