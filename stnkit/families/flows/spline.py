"""The flow of velocity fields that are cubic B-splines on a lattice, natively where that is possible."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from stnkit import coordinates
from stnkit.families.flows.unrolled_spline import unrolled_spline_flow
from stnkit.families.runge_kutta_steps import VelocityField, runge_kutta
from stnkit.families.tracing import is_dual
from stnkit.native import spline_flow as native
from stnkit.portable import is_exported


def spline_flow(
    field: VelocityField,
    velocities: Float[Tensor, "B P"],
    points: Float[Tensor, "#B N ndim"],
    control_points: Sequence[int],
    steps: int,
) -> Float[Tensor, "B N ndim"]:
    """`runge_kutta` of v(p) = Σ_i v_i Π_d β((p_d − c_{i_d}) / h_d), the splines of `transform=bspline`.

    On the CPU a kernel takes the steps: in 2D it reads 16 control points where the field reads four times linearly, and
    its backward pass needs no more memory than the points. `field` is for everything else, such as second derivatives,
    torch.func and compiled programs; exported programs have a field of fewer operations, and so has forward-mode AD.

    Args:
        field: v, a function of velocities and points that autograd can follow.
        velocities: v_i, planar: all x, then all y (then all z), each a lattice row by row.
        points: normalized, for each field or (batch of 1) the same for all, in the dtype of the velocities.
        control_points: of the lattice, (rows, columns) or (slices, rows, columns).
        steps: number of steps, at least 1.

    Example:
        >>> import torch, stnkit
        >>> family = stnkit.build("transform", "velocity", control_points=[4, 4])
        >>> shift = torch.tensor([0.5, 0.0]).repeat_interleave(16)[None]  # v = (0.5, 0) on the image
        >>> stnkit.families.spline_flow(family.velocities, shift, torch.full((1, 1, 2), -0.25), (4, 4), 8)
        tensor([[[ 0.2500, -0.2500]]])

    Source: Hairer, Nørsett, Wanner 1993, Solving Ordinary Differential Equations I, section II.1, table 1.2.
    """
    if is_dual():  # a field may read by torch's `grid_sample`, which has no rule for forward-mode AD
        wide = torch.float64 if coordinates.products_are_narrowed() else velocities.dtype
        return unrolled_spline_flow(velocities.to(wide), points.to(wide), control_points, steps).to(velocities.dtype)
    if is_exported():
        return unrolled_spline_flow(velocities, points, control_points, steps)
    if not native.takes_spline_flow(control_points, velocities, points):
        return runge_kutta(field, velocities, points, steps)
    if torch.is_grad_enabled() and (velocities.requires_grad or points.requires_grad):
        made: Tensor = _SplineFlow.apply(velocities, points, field, tuple(control_points), steps)  # type: ignore[no-untyped-call]
        return made
    return native.forward(velocities, points, control_points, steps)


class _SplineFlow(torch.autograd.Function):
    """The native flow. There is no rule for forward-mode AD or torch.func, which do not come here."""

    @staticmethod
    def forward(
        ctx: Any, velocities: Tensor, points: Tensor, field: VelocityField, counts: tuple[int, ...], steps: int
    ) -> Tensor:
        ctx.save_for_backward(velocities, points)
        ctx.call = field, counts, steps
        return native.forward(velocities, points, counts, steps)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None, None]:
        velocities, points = ctx.saved_tensors
        field, counts, steps = ctx.call
        of_velocities, of_points, *_ = ctx.needs_input_grad
        again = torch.is_grad_enabled()  # gradients of the gradient are recorded, as by `create_graph`
        if not again and native.takes_spline_flow(counts, velocities, points, gradient):
            found = native.backward(gradient, velocities, points, counts, steps, of_points)
            to_points = None if found[1] is None else found[1].sum_to_size(points.shape)
            return found[0] if of_velocities else None, to_points, None, None, None
        with torch.enable_grad():
            # Views: of tensors that depend on each other, only the direct gradients are wanted.
            inputs = velocities.view_as(velocities), points.view_as(points)
            end = runge_kutta(field, *inputs, steps)
            wanted = [t for t, wants in zip(inputs, (of_velocities, of_points), strict=True) if wants]
            rest = iter(torch.autograd.grad(end, wanted, gradient, create_graph=again))
        return next(rest) if of_velocities else None, next(rest) if of_points else None, None, None, None
