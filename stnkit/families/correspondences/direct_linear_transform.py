"""The direct linear transform: a homography of the least algebraic error."""

import torch
from jaxtyping import Float
from torch import Tensor

from stnkit import coordinates
from stnkit.errors import InputError
from stnkit.families.correspondences.least_squares import RANK, undetermined

# The part of a singular value that is rounding: points that a homography fits exactly.
EXACT = 1e-12


def direct_linear_transform(
    target: Float[Tensor, "B N ndim"], source: Float[Tensor, "B N ndim"], weights: Float[Tensor, "B N"]
) -> Float[Tensor, "B rows rows"]:
    """The M of least Σ w ‖(M p̃)[:ndim] − q (M p̃)[ndim]‖², in normalized points; 1 in its last entry, no gradient.

    Exact where a homography fits, and the start of a fit where none does. The center of the output and all points are
    in front of its horizon; where noise leads to another one, the matrix is that of the nearest affine map.

    Args:
        target: p, in float64.
        source: q, in float64.
        weights: w, at least 0, not all 0.

    Raises:
        InputError: when the points do not determine it, or it has the center of the output behind its horizon.

    Example:
        >>> import torch, stnkit
        >>> corners, one = stnkit.coordinates.corners(2)[None], torch.ones(1, 4, dtype=torch.float64)
        >>> stnkit.families.direct_linear_transform(corners, 2 * corners, one)[0].round(decimals=6) + 0.0
        tensor([[2., 0., 0.],
                [0., 2., 0.],
                [0., 0., 1.]], dtype=torch.float64)

    Source: Hartley and Zisserman, Multiple View Geometry, 2004, algorithm 4.2.
    """
    target, source, weights = target.detach(), source.detach(), weights.detach()
    ndim = target.shape[2]
    to_p, to_q = _normalization(target, weights), _normalization(source, weights)
    p, q = _moved(to_p, target), _moved(to_q, source)
    lifted = torch.cat([p, torch.ones_like(p[..., :1])], dim=2)
    zero = torch.zeros_like(lifted)
    rows = [
        torch.cat([*[lifted if k == d else zero for k in range(ndim)], -q[..., d : d + 1] * lifted], dim=2)
        for d in range(ndim)
    ]
    root = weights.sqrt()[..., None]
    system = torch.cat([root * row for row in rows], dim=1)
    size, n_equations = (ndim + 1) ** 2, system.shape[1]
    # At least as many rows as columns, so that the last right singular vector is the null vector.
    system = torch.nn.functional.pad(system, (0, 0, 0, max(0, size - n_equations)))
    _, values, vh = torch.linalg.svd(torch.linalg.qr(system, mode="r").R)
    ranks = (values > RANK * values[:, :1]).sum(dim=1).clamp_max(size - 1)
    for index in (ranks < size - 1).nonzero()[:, 0].tolist():
        raise undetermined(weights[index], index, int(ranks[index]), size - 1)
    matrix = torch.linalg.solve(to_q, vh[:, -1].view(-1, ndim + 1, ndim + 1) @ to_p)
    matrix = matrix / torch.linalg.vector_norm(matrix, dim=(1, 2), keepdim=True)
    w = _depth(matrix, target)
    counted = weights > 0
    matrix = matrix * torch.where((w.sign() * counted).sum(dim=1) < 0, -1.0, 1.0)[:, None, None]
    w = _depth(matrix, target)
    in_front = ((w > 0) | ~counted).all(dim=1) & (matrix[:, -1, -1] > RANK)
    exact = values[:, -1] <= EXACT * values[:, 0]
    for index in (exact & ~in_front).nonzero()[:, 0].tolist():
        raise InputError(
            "expected points with the center of the output and all of them in front of one horizon, "
            f"got others at index {index} of the batch"
        )
    affine = _affine(target, source, weights)
    matrix = torch.where(in_front[:, None, None], matrix, affine)
    return matrix / matrix[:, -1:, -1:]


def _normalization(points: Float[Tensor, "B N ndim"], weights: Float[Tensor, "B N"]) -> Float[Tensor, "B rows rows"]:
    """The similarity that brings the mean to 0 and the root mean square distance from it to √ndim."""
    ndim, share = points.shape[2], (weights / weights.sum(dim=1, keepdim=True))[..., None]
    mean = (share * points).sum(dim=1)
    spread = (share * (points - mean[:, None]).square()).sum(dim=(1, 2))
    scale = (ndim / torch.where(spread > 0, spread, 1.0)).sqrt()
    linear = scale[:, None, None] * torch.eye(ndim, dtype=points.dtype, device=points.device)
    return coordinates.homogeneous(linear, -scale[:, None] * mean)


def _moved(matrix: Float[Tensor, "B rows rows"], points: Float[Tensor, "B N ndim"]) -> Float[Tensor, "B N ndim"]:
    return points @ matrix[:, :-1, :-1].mT + matrix[:, None, :-1, -1]


def _depth(matrix: Float[Tensor, "B rows rows"], points: Float[Tensor, "B N ndim"]) -> Float[Tensor, "B N"]:
    return (points @ matrix[:, -1, :-1, None])[..., 0] + matrix[:, -1:, -1]


def _affine(
    target: Float[Tensor, "B N ndim"], source: Float[Tensor, "B N ndim"], weights: Float[Tensor, "B N"]
) -> Float[Tensor, "B rows rows"]:
    """The affine map of the least squared error, of points that determine a homography."""
    root = weights.sqrt()[..., None]
    lifted = torch.cat([target, torch.ones_like(target[..., :1])], dim=2)
    return coordinates.with_last_row(torch.linalg.lstsq(root * lifted, root * source, driver="gelsd").solution.mT)
