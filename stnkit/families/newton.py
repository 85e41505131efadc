"""Newton's method for the inverse of a family that has no closed form."""

from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from stnkit import coordinates
from stnkit.families.implicit_root import PointMap, implicit_root

# Evaluations of the map after which a point that has not converged is given up.
EVALUATIONS = 50
# Halvings of a step before its point is given up, and the share of its length by which a step must lower the residual.
HALVINGS = 8
DECREASE = 0.1
# Residual below which a point counts as found, and below which it has converged; in half images, or relative to the
# distance of q from the center where that is longer.
TOLERANCE = 1e-9
SETTLED = 1e-13
# Tolerance of the edge: rounding a source point to float32 moves its target by no more than this.
EDGE = 1e-5
# Half extents of the lattices whose nodes are further starts, with the number of starts, and their nodes per axis.
# With one start instead of eight a strongly folded map loses 1 % of its points, not 0.02 %.
STARTS = ((1.0, 8), (2.0, 4))
START_NODES = {2: 25, 3: 11}
# Bounds of the points that are solved together, and of the entries of θ times points.
CHUNK_POINTS = 2**14
CHUNK_ENTRIES = 2**24


def invert(
    point_map: PointMap, theta: Float[Tensor, "B P"], points: Float[Tensor, "#B N ndim"]
) -> Float[Tensor, "B N ndim"]:
    """The p with T_θ(p) = q, by damped Newton steps in float64; NaN where none was found.

    The first start is q itself, which suits maps near the identity. A point that does not reach the image from there
    starts again at the nodes of a lattice whose images are nearest to q: of several solutions, one on the image is
    preferred. The result has the derivatives of the implicit function, dp = J⁻¹ (dq − dT), to any order; they are 0
    where J is singular or nothing was found.

    Args:
        point_map: T, called with θ and points in float64.
        theta: one row of parameters for each element of the batch.
        points: q, source points.
    """
    return implicit_root(_search, point_map, theta, points).to(points.dtype)


def _search(
    point_map: PointMap, theta: Float[Tensor, "B P"], points: Float[Tensor, "#B N ndim"]
) -> Float[Tensor, "B N ndim"]:
    with coordinates.full_precision(theta), torch.inference_mode(False), torch.enable_grad():
        # Clones: inference tensors cannot take part in autograd.
        theta64 = theta.detach().clone().double()
        q = points.detach().clone().double().expand(theta.shape[0], -1, -1)
        chunk = min(CHUNK_POINTS, max(1, CHUNK_ENTRIES // max(1, theta.numel())))
        return torch.cat([_solve(point_map, theta64, part) for part in torch.split(q, chunk, dim=1)], dim=1)


def _solve(point_map: PointMap, theta: Float[Tensor, "B P"], q: Float[Tensor, "B N ndim"]) -> Float[Tensor, "B N ndim"]:
    tolerance, possible = _tolerance(q), q.isfinite().all(dim=-1)
    p, residual = _iterate(point_map, theta, q, q, possible)
    outside = ~_on_image(p)
    for reach, count in STARTS:
        open_ = possible & (outside | (residual > tolerance))
        if not bool(open_.any()):
            break
        for start in _nearest_nodes(point_map, theta, q, open_, reach, count):
            again, residual_again = _iterate(point_map, theta, q, start, open_)
            better = (residual_again <= tolerance) & (_on_image(again) | (residual > tolerance))
            p = torch.where(better[..., None], again, p)
            residual = torch.where(better, residual_again, residual)
            # One further start shows if a point found outside has a solution on the image too.
            outside = torch.zeros_like(outside)
            open_ = possible & (residual > tolerance)
    return torch.where((possible & (residual <= tolerance))[..., None], p, torch.nan)


def _tolerance(q: Float[Tensor, "B N ndim"]) -> Float[Tensor, "B N"]:
    return TOLERANCE * q.norm(dim=-1).clamp_min(1)


def _on_image(p: Float[Tensor, "B N ndim"]) -> Bool[Tensor, "B N"]:
    return (p.abs() <= 1 + EDGE).all(dim=-1)


def _iterate(
    point_map: PointMap,
    theta: Float[Tensor, "B P"],
    q: Float[Tensor, "B N ndim"],
    start: Float[Tensor, "B N ndim"],
    active: Bool[Tensor, "B N"],
) -> tuple[Float[Tensor, "B N ndim"], Float[Tensor, "B N"]]:
    """The points that damped Newton steps reach from `start`, and their residuals ‖q − T_θ(p)‖.

    The map is evaluated at active points only.
    """
    tolerance, settled = _tolerance(q), SETTLED / TOLERANCE * _tolerance(q)
    p, trial, step = start.clone(), start.clone(), torch.zeros_like(start)
    residual, length = torch.full_like(settled, torch.inf), torch.ones_like(settled)
    for _ in range(EVALUATIONS):
        if not bool(active.any()):
            break
        at = _packed(active)
        value, jacobian = _value_and_jacobian(point_map, theta[at[0][:, 0]], trial[at])
        missing = q[at] - value
        distance = torch.nan_to_num(missing.norm(dim=-1), nan=torch.inf)
        # At the start the residual is infinite, so every finite distance is better.
        better = active[at] & (distance < (1 - DECREASE * length[at]) * residual[at])
        newton, singular = torch.linalg.solve_ex(jacobian, missing[..., None])
        newton = torch.where((singular == 0)[..., None], newton[..., 0], torch.nan)

        p[at] = torch.where(better[..., None], trial[at], p[at])
        residual[at] = torch.where(better, distance, residual[at])
        step[at] = torch.where(better[..., None], newton, step[at])
        length[at] = torch.where(better, 1.0, length[at] / 2)
        trial = p + length[..., None] * step
        active = active & (residual > settled) & (length >= 0.5**HALVINGS)
        # A point that is found and improves no more has reached the rounding error of the map.
        active &= (residual > tolerance) | (length == 1)
        active &= trial.isfinite().all(dim=-1) & residual.isfinite()
    return p, residual


def _packed(active: Bool[Tensor, "B N"]) -> tuple[Int[Tensor, "R 1"], Int[Tensor, "R M"]]:
    """The indices of rows with active points, and of these points in each row, padded with inactive ones."""
    rows = active.any(dim=1).nonzero()
    active = active[rows[:, 0]]
    columns = active.to(torch.uint8).argsort(dim=1, descending=True, stable=True)
    return rows, columns[:, : int(active.sum(dim=1).max())]


def _value_and_jacobian(
    point_map: PointMap, theta: Float[Tensor, "B P"], p: Float[Tensor, "B N ndim"]
) -> tuple[Float[Tensor, "B N ndim"], Float[Tensor, "B N ndim ndim"]]:
    p = p.detach().requires_grad_()
    # + 0·p, so that a map that does not depend on the point has a graph.
    value = point_map(theta, p) + 0 * p
    rows = [torch.autograd.grad(value[..., d].sum(), p, retain_graph=True)[0] for d in range(value.shape[-1])]
    return value.detach(), torch.stack(rows, dim=-2)


def _nearest_nodes(
    point_map: PointMap,
    theta: Float[Tensor, "B P"],
    q: Float[Tensor, "B N ndim"],
    wanted: Bool[Tensor, "B N"],
    reach: float,
    count: int,
) -> Iterator[Float[Tensor, "B N ndim"]]:
    """The nodes of a lattice over [-reach, reach] whose images are nearest to q; q itself at unwanted points."""
    ndim = q.shape[-1]
    axes = (START_NODES[ndim],) * ndim
    nodes = reach * coordinates.lattice(axes, dtype=q.dtype, device=q.device).view(-1, ndim)
    rows, columns = _packed(wanted)
    with torch.no_grad():
        images = torch.nan_to_num(point_map(theta[rows[:, 0]], nodes[None]), nan=coordinates.OUTSIDE)
        distances = torch.nan_to_num(torch.cdist(q[rows, columns], images))
        nearest = distances.topk(count, largest=False).indices
    for rank in nearest.unbind(dim=-1):
        start = q.clone()
        start[rows, columns] = nodes[rank]
        yield start
