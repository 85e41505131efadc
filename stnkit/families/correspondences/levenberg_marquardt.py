"""θ of any family by damped Gauss–Newton steps, differentiable by the implicit function theorem."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from stnkit import coordinates
from stnkit.errors import InputError
from stnkit.families.correspondences.bounded_entries import Box, fitted_within_bounds
from stnkit.families.correspondences.degrees_of_freedom import undetermined_rows
from stnkit.families.correspondences.least_squares import column_scales, solve_by_qr, undetermined
from stnkit.families.correspondences.stationary_point import PointMap, newton_steps, symmetric_solution
from stnkit.families.correspondences.undamped_steps import STATIONARY, reducible_share, undamped_steps
from stnkit.families.correspondences.weighted_residuals import EXACT, cost_of, weighted_jacobian, weighted_residual

# Evaluations of the map after which the iteration ends.
EVALUATIONS = 200
# Levenberg's damping, relative to the norms of the columns: at first, which shortens first steps along weakly
# determined directions, its factor from step to step, its bounds.
DAMPING, FACTOR, LEAST, MOST = 1.0, 10.0, 1e-12, 1e12
# Entries of θ with a smaller share of the largest influence than this are damped as those that have it: what the
# curvature of the map leaves of a residual would lead them far away. After so many evaluations, the iteration starts
# again without it: where many θ are nearly one map, the way to the nearest leads along such entries.
WEAK, CAREFUL = 0.1, 60
# Shares of the predicted decrease above which a step was good, and below which it was poor.
GOOD, POOR = 0.75, 0.25
# Length of a step, relative to that of θ, below which θ has settled.
SETTLED = 1e-14
# The rounding of a point of size 1, and the share of the cost below which a decrease says nothing about a step.
ROUNDING, UNKNOWN = 1e-16, 1e-9
# Eigenvalues of the Hessian below this share of the largest count as 0.
NEGLIGIBLE = 1e-13
# Share of the residual that a step would remove if the map were linear, up to which its curvature may be the reason why
# no step does. A larger one is that of a fit on its way.
NEARLY = 0.1


def gauss_newton(
    point_map: PointMap,
    start: Float[Tensor, "B P"],
    target: Float[Tensor, "B N ndim"],
    source: Float[Tensor, "B N ndim"],
    weights: Float[Tensor, "B N"],
) -> Float[Tensor, "B P"]:
    """The θ of least Σ w ‖T_θ(p) − q‖², a local minimum near `start`, by the Levenberg–Marquardt method.

    An entry of θ that acts between bounds may end at one, or beyond it. The result carries the gradient of the implicit
    function to points and weights, which can be taken once, and for which T is differentiated twice. Where several θ
    are the same map on the image, one of them is found, and the gradient is that of the smallest change.

    Args:
        point_map: T, called with θ and points in float64.
        start: where the first step starts.
        target: p, in float64.
        source: q, in float64.
        weights: w, at least 0.

    Raises:
        InputError: when the points do not determine the map, or the steps end where the squared error is not least.

    Example:
        >>> import torch, stnkit
        >>> rotation = stnkit.build("transform", "rotation")
        >>> corners, one = stnkit.coordinates.corners(2)[None], torch.ones(1, 4, dtype=torch.float64)
        >>> start = torch.zeros(1, 1, dtype=torch.float64)
        >>> quarter = torch.stack([-corners[..., 1], corners[..., 0]], dim=-1)
        >>> stnkit.families.gauss_newton(rotation, start, corners, quarter, one).round(decimals=4)
        tensor([[1.5708]], dtype=torch.float64)

    Source: Moré, The Levenberg-Marquardt algorithm: implementation and theory, 1978, for the scaled damping.
    """
    with coordinates.full_precision(start), torch.inference_mode(False), torch.no_grad():
        # Clones: inference tensors cannot take part in autograd.
        fixed = target.clone(), source.clone(), weights.clone()
        start = start.detach().double().clone()
        theta, jacobian, stationary = _stationary_point(point_map, start, fixed, WEAK, CAREFUL)
        slow = ~stationary
        if bool(slow.any()):
            some = tuple(tensor[slow] for tensor in fixed)
            again = _stationary_point(point_map, start[slow], some, 0.0, EVALUATIONS)
            theta[slow], jacobian[slow], stationary[slow] = again
        for index in undetermined_rows(point_map, (start, theta), jacobian, fixed):
            row = slice(index, index + 1)
            some = tuple(tensor[row] for tensor in fixed)

            def fit(theta: Tensor, box: Box, some: tuple[Tensor, ...] = some) -> tuple[Tensor, Tensor, Tensor]:
                return _stationary_point(point_map, theta, some, 0.0, EVALUATIONS, box)

            found = theta[row], jacobian[row], stationary[row]
            found = fitted_within_bounds(fit, point_map, start[row], found, some)
            theta[row], jacobian[row], stationary[row] = found
            for rank, possible in undetermined_rows(point_map, (start[row], found[0]), found[1], some).values():
                raise undetermined(weights[index], index, rank, possible)
        _check_stationary(stationary)
    if torch.is_grad_enabled():
        with coordinates.full_precision(start):
            theta = theta + _implicit(point_map, theta, target, source, weights)
    return theta


def _stationary_point(
    point_map: PointMap,
    start: Float[Tensor, "B P"],
    points: tuple[Tensor, ...],
    weak: float,
    evaluations: int,
    box: Box | None = None,
) -> tuple[Float[Tensor, "B P"], Float[Tensor, "B M P"], Bool[Tensor, "B"]]:
    """θ, the Jacobian about there, and True where the squared error is stationary."""
    theta, jacobian, missing = _minimized(point_map, start, points, weak, evaluations, box)
    if box is not None:
        theta = box.let_out(theta, jacobian, missing)
        jacobian = weighted_jacobian(point_map, theta, points[0], points[2])
    finite = jacobian.isfinite().all(dim=2).all(dim=1)
    share = reducible_share(jacobian, missing, points)
    slow = finite & ~(share <= STATIONARY)
    if bool(slow.any()):
        some = tuple(tensor[slow] for tensor in points)
        theta[slow], jacobian[slow], missing[slow] = undamped_steps(point_map, theta[slow], some)
        share[slow] = reducible_share(jacobian[slow], missing[slow], some)
    moved = missing.square().sum(dim=1) > cost_of(EXACT, points)
    units = column_scales(jacobian) / points[2].sum(dim=1, keepdim=True).sqrt()
    theta, settled = newton_steps(point_map, theta, points, units, moved & finite)
    return theta, jacobian, (share <= STATIONARY) | ((share <= NEARLY) & settled)


def _minimized(
    point_map: PointMap,
    theta: Float[Tensor, "B P"],
    points: tuple[Tensor, ...],
    weak: float,
    evaluations: int,
    box: Box | None,
) -> tuple[Float[Tensor, "B P"], Float[Tensor, "B M P"], Float[Tensor, "B M"]]:
    """θ, and there the Jacobian and the residual, both times the roots of the weights."""
    missing = weighted_residual(point_map, theta, points)
    jacobian = weighted_jacobian(point_map, theta, points[0], points[2])
    # Below `exact` an iteration ends with its first step that is not better.
    cost, exact, floor = missing.square().sum(dim=1), *(cost_of(size, points) for size in (EXACT, ROUNDING))
    damping, active = torch.full_like(cost, DAMPING), cost > floor
    for _ in range(evaluations):
        if not bool(active.any()):
            break
        free = jacobian if box is None else box.free(theta, jacobian, missing)
        step = _damped_step(free, missing, damping, weak)
        trial = theta + step if box is None else (theta + step).clamp(box.lower, box.upper)
        trial = torch.where((active & trial.isfinite().all(dim=1))[:, None], trial, theta)
        missing_there = weighted_residual(point_map, trial, points)
        cost_there = missing_there.square().sum(dim=1)
        better = active & (cost_there < cost)
        settled = step.norm(dim=1) <= SETTLED * (1 + theta.norm(dim=1))
        linear = missing - (free @ step[..., None])[..., 0]
        predicted = cost - linear.square().sum(dim=1)
        gain = (cost - cost_there) / predicted
        factor = torch.where(gain > GOOD, 1 / FACTOR, torch.where(gain > POOR, 1.0, FACTOR))
        damping = (damping * factor).clamp_min(LEAST)
        theta = torch.where(better[:, None], trial, theta)
        missing = torch.where(better[:, None], missing_there, missing)
        cost = torch.where(better, cost_there, cost)
        # Of a smaller decrease than that the rounding of the cost tells nothing: Newton steps do the rest.
        active = active & ~settled & (predicted > UNKNOWN * cost) & (cost > floor) & (damping <= MOST)
        active = active & (better | (cost > exact))
        if bool(better.any()):
            jacobian = weighted_jacobian(point_map, theta, points[0], points[2])
    return theta, jacobian, missing


def _damped_step(
    jacobian: Float[Tensor, "B M P"], missing: Float[Tensor, "B M"], damping: Float[Tensor, "B"], weak: float
) -> Float[Tensor, "B P"]:
    """The x of least ‖J x − r‖² + λ ‖D x‖², with about the norms of the columns in D; NaN where J is not finite."""
    scales = column_scales(jacobian)
    # By QR of both parts below each other: the normal equations would lose half of the digits.
    least = torch.maximum(scales, weak * scales.amax(dim=1, keepdim=True)) / scales
    stacked = torch.cat([jacobian / scales[:, None], torch.diag_embed(damping.sqrt()[:, None] * least)], dim=1)
    usable = stacked.isfinite().all(dim=2).all(dim=1) & missing.isfinite().all(dim=1)
    stacked = torch.where(usable[:, None, None], stacked, torch.eye(*stacked.shape[1:]).to(stacked))
    values = torch.where(usable[:, None], missing, 0.0)
    found, _ = solve_by_qr(stacked, torch.cat([values, torch.zeros_like(scales)], dim=1))
    return torch.where(usable[:, None], found / scales, torch.nan)


def _check_stationary(stationary: Bool[Tensor, "B"]) -> None:
    if not bool(stationary.all()):
        index = stationary.tolist().index(False)
        raise InputError(
            f"expected points with a nearest map of this family, got some at index {index} of the batch to which "
            f"{EVALUATIONS} steps found none"
        )


def _implicit(
    point_map: PointMap,
    theta: Float[Tensor, "B P"],
    target: Float[Tensor, "B N ndim"],
    source: Float[Tensor, "B N ndim"],
    weights: Float[Tensor, "B N"],
) -> Float[Tensor, "B P"]:
    """A zero whose gradient is that of θ: one Newton step that is differentiable in points and weights."""
    theta = theta.detach()
    # Without a gradient to θ: it shows if the points, the weights or the map itself need one.
    missing = weights[..., None] * (source - point_map(theta, target))
    if not missing.requires_grad:
        return torch.zeros_like(theta)
    theta = theta.clone().requires_grad_()
    half_cost = (weights[..., None] * (source - point_map(theta, target)).square()).sum() / 2
    (slope,) = torch.autograd.grad(half_cost, theta, create_graph=True)
    slope = slope + 0 * theta
    rows = [torch.autograd.grad(slope[:, p].sum(), theta, retain_graph=True)[0] for p in range(theta.shape[1])]
    change = -symmetric_solution(torch.stack(rows, dim=1).detach(), slope, NEGLIGIBLE)
    return change - change.detach()
