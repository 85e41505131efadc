"""Newton's method for the inverse of a family that has no closed form."""

from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from stnkit import coordinates

if TYPE_CHECKING:
    from stnkit.families.family import TransformFamily

STEPS = 30
HALVINGS = 6
# Residual, in normalized units, under which a point counts as found: 1e-9 of half an image.
TOLERANCE = 1e-9
# Points per axis of the lattice that gives the second start, and the range that it covers.
START_POINTS = 25
START_RANGE = 1.5


def invert(
    family: "TransformFamily", theta: Float[Tensor, "B P"], points: Float[Tensor, "#B N ndim"]
) -> Float[Tensor, "B N ndim"]:
    """P with T_θ(p) = q, by damped Newton steps in float64; NaN where none was found.

    The first start is q itself, which suits maps near the identity; what does not converge from there starts
    again at the node of a coarse lattice whose image is nearest to q. The result carries the gradient of the
    implicit function: dp = J⁻¹ (dq − dT).

    Args:
        family: the map; only its `forward` is used.
        theta: one row of parameters for each element of the batch.
        points: q, source points.
    """
    with coordinates.full_precision(theta), torch.inference_mode(False), torch.enable_grad():
        # Clones, for tensors that were made in inference mode cannot take part in autograd.
        theta64 = theta.detach().clone().double()
        q = points.detach().clone().double().expand(theta.shape[0], -1, -1)
        found, residual = _iterate(family, theta64, q, q)
        if not bool((residual <= TOLERANCE).all()):
            again, residual_again = _iterate(family, theta64, q, _nearest_start(family, theta64, q))
            better = (residual_again < residual)[..., None]
            found = torch.where(better, again, found)
            residual = torch.where(better[..., 0], residual_again, residual)
    solved: Bool[Tensor, "B N 1"] = (residual <= TOLERANCE)[..., None]
    result = torch.where(solved, found, torch.nan)
    if torch.is_grad_enabled() and (theta.requires_grad or points.requires_grad):
        result = result + _implicit(family, theta, points, found)
    return result.to(points.dtype)


def _implicit(family: "TransformFamily", theta: Tensor, points: Tensor, found: Tensor) -> Tensor:
    """A zero whose gradient is that of the inverse: one Newton step that is differentiable in θ and q."""
    _, jacobian = _value_and_jacobian(family, theta.detach().double(), found)
    with coordinates.full_precision(theta):
        step = points.double() - family(theta.double(), found)
    change = torch.linalg.lstsq(jacobian, step[..., None]).solution[..., 0]
    return change - change.detach()


def _value_and_jacobian(family: "TransformFamily", theta: Tensor, p: Tensor) -> tuple[Tensor, Tensor]:
    p = p.detach().requires_grad_()
    value = family(theta, p)
    rows = [
        torch.autograd.grad(value[..., d].sum(), p, retain_graph=True, allow_unused=True)[0]
        for d in range(value.shape[-1])
    ]
    # A family whose source coordinate does not depend on the point leaves no graph: a row of zeros.
    jacobian = torch.stack([torch.zeros_like(p) if row is None else row for row in rows], dim=-2)
    return value.detach(), jacobian


def _residual(family: "TransformFamily", theta: Tensor, p: Tensor, q: Tensor) -> Tensor:
    with torch.no_grad():
        distance = (family(theta, p) - q).norm(dim=-1)
    return torch.nan_to_num(distance, nan=torch.inf)


def _iterate(family: "TransformFamily", theta: Tensor, q: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
    p = start.detach().clone()
    residual = _residual(family, theta, p, q)
    for _ in range(STEPS):
        value, jacobian = _value_and_jacobian(family, theta, p)
        step, failed = torch.linalg.solve_ex(jacobian, (q - value)[..., None])
        step = torch.where((failed == 0)[..., None] & step[..., 0].isfinite(), step[..., 0], 0.0)
        moved = False
        length = torch.ones_like(residual)
        for _ in range(HALVINGS):
            trial = p + length[..., None] * step
            trial_residual = _residual(family, theta, trial, q)
            better = trial_residual < residual
            if bool(better.any()):
                moved = True
                p = torch.where(better[..., None], trial, p)
                residual = torch.where(better, trial_residual, residual)
            # A point that has moved keeps its step: nothing is left to halve for it.
            step = torch.where(better[..., None], 0.0, step)
            if bool((step == 0).all()):
                break
            length = length / 2
        if not moved:
            break
    return p, residual


def _nearest_start(family: "TransformFamily", theta: Tensor, q: Tensor) -> Tensor:
    nodes = coordinates.lattice((START_POINTS,) * family.ndim, dtype=q.dtype, device=q.device)
    nodes = START_RANGE * nodes.view(1, -1, family.ndim)
    with torch.no_grad():
        images = torch.nan_to_num(family(theta, nodes), nan=coordinates.OUTSIDE)
        nearest = torch.stack([torch.cdist(a, b).argmin(dim=-1) for a, b in zip(q, images, strict=True)])
    return nodes[0][nearest]
