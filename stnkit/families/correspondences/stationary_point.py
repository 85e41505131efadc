"""Newton steps to where a squared error is stationary, with second derivatives by differences of the first."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

# (B, P) θ and (B or 1, N, ndim) points -> (B, N, ndim) points.
PointMap = Callable[[Tensor, Tensor], Tensor]

# Steps, and the length of a difference, in units that move the points by about 1.
STEPS, DIFFERENCE = 12, 1e-5
# Points that are mapped together for differences: of more, intermediate values leave the caches.
TOGETHER = 2**14
# Eigenvalues of such a Hessian below this share of the largest count as 0: they are rounding.
NEGLIGIBLE = 1e-8
# Share of the squared error that a step gains, up to which the error is stationary.
STATIONARY = 1e-6
# Share of the slope that a step leaves, up to which the next one takes the same Hessian; and the share of the squared
# error gained below which the slope is rounding, of which a new one leaves as much.
FAST, ROUNDING = 0.1, 1e-24


def newton_steps(
    point_map: PointMap,
    theta: Float[Tensor, "B P"],
    points: tuple[Tensor, ...],
    units: Float[Tensor, "B P"],
    chosen: Bool[Tensor, "B"],
) -> tuple[Float[Tensor, "B P"], Bool[Tensor, "B"]]:
    """θ moved to where Σ w ‖T_θ(p) − q‖² has the slope 0, in rows that are near it; True for those that end there.

    Gauss–Newton steps leave out the curvature of T, and near a minimum that is not 0 they converge slowly or not at
    all. T is differentiated once. Second derivatives serve as long as the steps converge fast with them.

    Args:
        point_map: T, called with θ and points in float64.
        theta: near the minimum.
        points: p, q and w.
        units: by which entries of θ are divided so that each moves the points by about 1.
        chosen: True for the rows to move; others stay, and are False.
    """
    slope = slope_of(point_map, theta, *points)
    hessian = theta.new_zeros(*theta.shape, theta.shape[1])
    stationary, outdated = torch.zeros_like(chosen), chosen
    for _ in range(STEPS):
        if not bool(chosen.any()):
            break
        theta, slope, hessian, stationary = (tensor.clone() for tensor in (theta, slope, hessian, stationary))
        new = (chosen & outdated).nonzero()[:, 0]
        if len(new):
            hessian[new] = _hessian(point_map, theta[new], tuple(tensor[new] for tensor in points), units[new])
        rows = chosen.nonzero()[:, 0]
        some = tuple(tensor[rows] for tensor in points)
        step, decrease = _solved(hessian[rows], slope[rows], NEGLIGIBLE)
        cost = (some[2][..., None] * (point_map(theta[rows], some[0]) - some[1]).square()).sum(dim=(1, 2))
        stationary[rows] = decrease <= STATIONARY * cost
        trial = theta[rows] - step
        slope_there = slope_of(point_map, trial, *some)
        size, size_there = ((s / units[rows]).norm(dim=1) for s in (slope[rows], slope_there))
        better = size_there < size
        theta[rows[better]], slope[rows[better]] = trial[better], slope_there[better]
        chosen, outdated = chosen.clone(), outdated.clone()
        chosen[rows], outdated[rows] = better, (size_there > FAST * size) & (decrease > ROUNDING * cost)
    return theta, stationary


def symmetric_solution(
    matrix: Float[Tensor, "B P P"], right: Float[Tensor, "B P"], negligible: float
) -> Float[Tensor, "B P"]:
    """The shortest x with H x = b, in units in which the diagonal of H is 1; differentiable in b.

    Args:
        matrix: H, symmetric, perhaps singular.
        right: b.
        negligible: share of the largest eigenvalue below which one counts as 0.
    """
    return _solved(matrix, right, negligible)[0]


def _solved(
    matrix: Float[Tensor, "B P P"], right: Float[Tensor, "B P"], negligible: float
) -> tuple[Float[Tensor, "B P"], Float[Tensor, "B"]]:
    """x, and the sum of |bᵢ²/λᵢ| over the eigenvalues λᵢ of H that count."""
    diagonal = matrix.diagonal(dim1=1, dim2=2).abs()
    largest = diagonal.amax(dim=1, keepdim=True).clamp_min(torch.finfo(matrix.dtype).tiny)
    units = diagonal.clamp_min(negligible * largest).rsqrt()
    values, vectors = torch.linalg.eigh(units[:, :, None] * matrix * units[:, None])
    regular = values.abs() > negligible * values.abs().amax(dim=1, keepdim=True)
    inverse = torch.where(regular, 1 / torch.where(regular, values, 1.0), 0.0)
    along = (vectors.mT @ (units * right)[..., None])[..., 0]
    solution = units * (vectors @ (inverse * along)[..., None])[..., 0]
    return solution, (inverse.abs() * along.square()).sum(dim=1)


def slope_of(
    point_map: PointMap, theta: Tensor, target: Tensor, source: Tensor, weights: Tensor
) -> Float[Tensor, "B P"]:
    """The derivative of half the squared error in θ.

    Args:
        point_map: T, called with θ and points in float64.
        theta: one row for each element of the batch.
        target: p.
        source: q.
        weights: w.
    """
    theta = theta.detach().clone().requires_grad_()
    with torch.enable_grad():
        cost = (weights[..., None] * (point_map(theta, target) - source).square()).sum() / 2
        return torch.autograd.grad(cost + 0 * theta.sum(), theta)[0]


def _hessian(
    point_map: PointMap, theta: Float[Tensor, "B P"], points: tuple[Tensor, ...], units: Float[Tensor, "B P"]
) -> Float[Tensor, "B P P"]:
    """Central differences of the slope, in batches of as many as the caches of a processor hold."""
    batch, n_params = theta.shape
    steps = torch.diag_embed(DIFFERENCE / units)
    trials = torch.stack([theta[:, None] + steps, theta[:, None] - steps], dim=1).view(-1, n_params)
    element = torch.arange(batch, device=theta.device).repeat_interleave(2 * n_params)
    many = max(1, TOGETHER // max(1, points[0].shape[1]))
    slopes = [
        slope_of(point_map, some, *(tensor[rows] for tensor in points))
        for some, rows in zip(torch.split(trials, many), torch.split(element, many), strict=True)
    ]
    ahead, behind = torch.cat(slopes).view(batch, 2, n_params, n_params).unbind(dim=1)
    hessian = (ahead - behind) * units[..., None] / (2 * DIFFERENCE)
    return (hessian + hessian.mT) / 2
