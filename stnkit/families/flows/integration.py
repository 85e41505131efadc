"""The flow of a batch of fields, by whoever computes it best: a kernel, an operator, or torch's own operations."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from stnkit import coordinates
from stnkit.families.caching import cached
from stnkit.families.flows import operator
from stnkit.families.flows.cell_field import unrolled_flow
from stnkit.families.flows.solution import Start, derived, solved
from stnkit.families.flows.tessellation import Tessellation, tessellation_of
from stnkit.families.flows.trajectory import end_of, pieces_of
from stnkit.families.tracing import has_tracer, is_transformed, read_mask
from stnkit.native.arrangement import Arrangement, arranged
from stnkit.portable import is_exported

# A matrix of at most this many entries makes the coefficients of all regions by one product, in a tenth of the time of
# many small operations for 256 fields of 3 × 3 cells. (AMD EPYC, 2 cores, torch 2.13.0, 2026-11-29)
DENSE_ENTRIES = 2**18


def flow(
    velocities: Float[Tensor, "B K 2"], points: Float[Tensor, "#B N 2"], tessellation: Tessellation
) -> Float[Tensor, "B N 2"]:
    """φ(p, 1) with φ(p, 0) = p and dφ/dt = v(φ): where the points are after a unit of time.

    Exact up to rounding: in each region the flow of an affine field is in closed form, and exits are solved for. It is
    differentiable in velocities and points, twice and by every transform of torch.func. A program that is exported has
    `unrolled_flow` in its place, which other runtimes have the operations for.

    Args:
        velocities: of the vertices of the tessellation, in normalized units, for each field.
        points: normalized, for each field or (batch of 1) the same for all, in the dtype of the velocities.
        tessellation: in whose triangles the field is affine.

    Example:
        >>> import torch, stnkit
        >>> square = stnkit.families.Tessellation(1, 1)
        >>> growth = square.vertices[None]  # v(p) = p on the square
        >>> point = torch.tensor([[[0.25, 0.0]]], dtype=torch.float64)
        >>> stnkit.families.flow(growth, point, square) / 0.25
        tensor([[[2.7183, 0.0000]]], dtype=torch.float64)

    Source: Freifeld et al., Transformations based on continuous piecewise-affine velocity fields, PAMI 2017.
    """
    if is_exported():
        return unrolled_flow(velocities, points, tessellation)
    return _flowed(coefficients_of(velocities, tessellation), points, tessellation, None)


def flow_lattice(
    velocities: Float[Tensor, "B K 2"], size: Sequence[int], tessellation: Tessellation
) -> Float[Tensor, "B H W 2"]:
    """`flow` of the pixel centers of an output, whose places in the tessellation are cached.

    Args:
        velocities: of the vertices of the tessellation, in normalized units, for each field.
        size: of the output, (H, W).
        tessellation: in whose triangles the field is affine.

    Example:
        >>> import torch, stnkit
        >>> square = stnkit.families.Tessellation(1, 1)
        >>> stnkit.families.flow_lattice(torch.zeros(1, 5, 2), (1, 2), square)
        tensor([[[[-0.5000,  0.0000],
                  [ 0.5000,  0.0000]]]])
    """
    height, width = size
    options = velocities.dtype, velocities.device
    if has_tracer():
        points = coordinates.lattice(size, dtype=options[0], device=options[1]).view(1, -1, 2)
        return flow(velocities, points, tessellation).view(velocities.shape[0], height, width, 2)
    coefficients = coefficients_of(velocities, tessellation)
    points, region, chart, *sorted_ = _lattice(tessellation.rows, tessellation.columns, (height, width), *options)
    start = Start(points, region, chart, Arrangement(*sorted_))
    # Of planes, where the points are planes.
    planes = _flowed(coefficients, start.points, tessellation, start).transpose(1, 2)
    return planes.view(len(velocities), 2, height, width).movedim(1, -1)


def coefficients_of(velocities: Float[Tensor, "B K 2"], tessellation: Tessellation) -> Float[Tensor, "B R 6"]:
    """w₀, w₁ and w₂ of v(P, M) = w₀ + P w₁ + M w₂ in the chart of each region.

    Args:
        velocities: of the vertices, in normalized units.
        tessellation: with the regions.
    """
    charts = tessellation.charts_like(velocities)
    regions, n_velocities = len(charts.corners), 2 * velocities.shape[1]
    if 6 * regions * n_velocities <= DENSE_ENTRIES and not coordinates.products_are_narrowed():
        product = velocities.flatten(1) @ tessellation.dense_like(velocities)
        return product.view(-1, regions, 6)
    at = velocities.index_select(1, charts.corners.flatten()).view(-1, regions, 3, 1, 2)
    constant, first, second = (charts.inverse[:, None] * at).sum(dim=-1).unbind(dim=2)
    return torch.cat([constant, first - constant, second - constant], dim=2)


@cached
def _lattice(
    rows: int, columns: int, size: tuple[int, int], dtype: torch.dtype, device: torch.device
) -> tuple[Tensor, ...]:
    """Points, region, chart and arrangement of the pixel centers."""
    points, tessellation = (
        coordinates.lattice(size, dtype=dtype, device=device).view(1, -1, 2),
        tessellation_of(rows, columns),
    )
    region, chart = tessellation.locate(points)
    return points, region, chart, *arranged(region, chart, len(tessellation.charts.slopes))


def _flowed(
    coefficients: Float[Tensor, "B R 6"],
    points: Float[Tensor, "#B N 2"],
    tessellation: Tessellation,
    start: Start | None,
) -> Float[Tensor, "B N 2"]:
    # On the device meta only shapes are known.
    if coefficients.is_meta or has_tracer() or _has_no_values(coefficients, points):
        return operator.flowed(coefficients, points, tessellation)
    if is_transformed():
        return _recorded(coefficients, points, tessellation)
    if torch.is_grad_enabled() and (coefficients.requires_grad or points.requires_grad):
        made: Tensor = _Flow.apply(coefficients, points, tessellation, start)  # type: ignore[no-untyped-call]
        return made
    return solved(coefficients, start or Start(points, *tessellation.locate(points)), tessellation)


def _recorded(coefficients: Tensor, points: Tensor, tessellation: Tessellation) -> Float[Tensor, "B N 2"]:
    """The flow by operations that can be differentiated in every way; the trajectories themselves are values."""
    charts = tessellation.charts_like(points)
    region, chart = tessellation.locate(points)
    pieces, _ = pieces_of(coefficients.detach(), region, chart.detach(), charts)
    return end_of(pieces, coefficients, region, chart, charts)


def _has_no_values(*tensors: Tensor) -> bool:
    """True under vmap, where the number of pieces cannot be read."""
    return is_transformed() and any(read_mask(tensor.detach().flatten()[:1].isfinite()) is None for tensor in tensors)


class _Flow(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, coefficients: Tensor, points: Tensor, tessellation: Tessellation, start: Start | None
    ) -> Tensor:
        ctx.save_for_backward(coefficients, points)
        ctx.tessellation, ctx.start = tessellation, start
        return solved(coefficients, start or Start(points, *tessellation.locate(points)), tessellation)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        coefficients, points = ctx.saved_tensors
        of_coefficients, of_points, *_ = ctx.needs_input_grad
        if torch.is_grad_enabled():  # gradients of the gradient are recorded, as by `create_graph`
            # Views: of tensors that depend on each other, only the direct gradients are wanted.
            inputs = coefficients.view_as(coefficients), points.view_as(points)
            end = _recorded(*inputs, ctx.tessellation)
            wanted = [t for t, wants in zip(inputs, (of_coefficients, of_points), strict=True) if wants]
            found = iter(torch.autograd.grad(end, wanted, gradient, create_graph=True))
            return next(found) if of_coefficients else None, next(found) if of_points else None, None, None
        start = ctx.start or Start(points, *ctx.tessellation.locate(points))
        to_coefficients, to_points = derived(coefficients, start, ctx.tessellation, gradient, of_points)
        return to_coefficients if of_coefficients else None, to_points, None, None
