"""Trajectories through the regions of a tessellation: their pieces, their end, and the gradients of that."""

import functools
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from stnkit.families.flows.affine import REACH, barriers, field_at, first_exit, series
from stnkit.families.flows.tessellation import Charts

# Pieces of a trajectory before a point is left where it is.
MOST_PIECES = 20_000
# Pieces of no length, one after the other, before a point goes on in its region whatever the barriers say that it is
# on: at a vertex it may pass eight regions at once, and on an edge rounding may send it back and forth.
MOST_STALLS = 12
# Nodes of the Gauss–Legendre rule on a piece, exact to rounding for steps within REACH.
NODES = {torch.float32: 4, torch.float64: 9}
# Bound of an entry of the gradient to a point: beside a source of the field it grows exponentially.
STEEPEST = {torch.float32: 1e18, torch.float64: 1e150}


class Piece(NamedTuple):
    """The next piece of the trajectories that are not over, each in one region.

    Args:
        point: index into all points of all fields.
        region: index into all regions of all fields.
        chart: (P, M) at its start.
        time: its length.
        barrier: by which it leaves the region, or −1.
    """

    point: Int64[Tensor, "n"]
    region: Int64[Tensor, "n"]
    chart: Float[Tensor, "n 2"]
    time: Float[Tensor, "n"]
    barrier: Int64[Tensor, "n"]


def pieces_of(
    coefficients: Float[Tensor, "B R 6"], region: Int64[Tensor, "#B N"], chart: Float[Tensor, "#B N 2"], charts: Charts
) -> tuple[list[Piece], Float[Tensor, "B N 2"]]:
    """The pieces of all trajectories from time 0 to 1, and the points at time 1.

    Args:
        coefficients: w₀, w₁, w₂ of each region of each field.
        region: of each point.
        chart: of each point, (P, M).
        charts: of the tessellation.
    """
    (batch, regions, _), count = coefficients.shape, chart.shape[1]
    fields, epsilon = coefficients.reshape(-1, 6), torch.finfo(coefficients.dtype).eps
    first = regions * torch.arange(batch, device=region.device)[:, None]
    region = (region + first).reshape(-1)
    chart = chart.expand(batch, -1, -1).reshape(-1, 2)
    point = torch.arange(len(region), device=region.device)
    remaining, stalls = torch.ones_like(chart[:, 0]), torch.zeros_like(point)
    pieces: list[Piece] = []
    last_region, last_chart = region.clone(), chart.clone()
    while len(point) and len(pieces) < MOST_PIECES:
        field = field_at(fields[region], chart)
        step = torch.minimum(remaining, REACH / field.norm)
        time, barrier = first_exit(chart, field, charts.slopes[region % regions], step, stalls > MOST_STALLS)
        stalls = torch.where((barrier >= 0) & (time <= epsilon), stalls + 1, 0)
        piece = Piece(point, region, chart, time, barrier)
        pieces.append(piece)
        remaining = torch.where((barrier < 0) & (time >= remaining), 0.0, remaining - time)
        chart, region = advance(piece, fields, chart, time, charts)
        last_region[point], last_chart[point] = region, chart
        going = (remaining > 0).nonzero(as_tuple=True)[0]
        point, region, chart, remaining, stalls = (t[going] for t in (point, region, chart, remaining, stalls))
    return pieces, _points(last_region % regions, last_chart, charts).view(batch, count, 2)


def advance(
    piece: Piece, fields: Float[Tensor, "BR 6"], chart: Float[Tensor, "n 2"], time: Float[Tensor, "n"], charts: Charts
) -> tuple[Float[Tensor, "n 2"], Int64[Tensor, "n"]]:
    """(P, M) and the region at the end of a piece that starts at `chart`; differentiable.

    Args:
        piece: of the trajectories.
        fields: w₀, w₁, w₂ of all regions of all fields.
        chart: (P, M) at its start.
        time: its length.
        charts: of the tessellation.
    """
    local, field = piece.region % len(charts.slopes), field_at(fields[piece.region], chart)
    exits, barrier = piece.barrier >= 0, piece.barrier.clamp_min(0)
    alpha, beta = series(time, field.trace, field.determinant)
    chart = chart + (alpha[:, None] * field.velocity + beta[:, None] * field.change)
    p, m = chart.unbind(dim=1)
    # Exactly on the barrier, so that the next region sees it there too; with the derivatives of the flow.
    p = p - torch.where(piece.barrier == 0, p, 0.0).detach()
    m = m - torch.where(piece.barrier == 1, m, 0.0).detach()
    m = m + torch.where(piece.barrier == 2, 1 - charts.slopes[local, 0] * p - m, 0.0).detach()
    moved = charts.transition[local, barrier]
    beyond = moved[..., 0] + moved[..., 1] * p[:, None] + moved[..., 2] * m[:, None]
    neighbor = piece.region - local + charts.neighbor[local, barrier]
    chart = torch.where(exits[:, None], beyond, torch.stack([p, m], dim=1))
    return chart, torch.where(exits, neighbor, piece.region)


def _delay(
    piece: Piece, fields: Float[Tensor, "BR 6"], chart: Float[Tensor, "n 2"], charts: Charts
) -> Float[Tensor, "n"]:
    """A zero with the derivative of the time of an exit: one step of Newton's method."""
    field, exits, barrier = field_at(fields[piece.region], chart), piece.barrier >= 0, piece.barrier.clamp_min(0)
    slopes = charts.slopes[piece.region % len(charts.slopes)]
    level, slope, bend = (t.gather(1, barrier[:, None])[:, 0] for t in barriers(chart, field, slopes))
    alpha, beta = series(piece.time, field.trace, field.determinant)
    value = level + alpha * slope + beta * bend
    speed = ((1 - beta * field.determinant) * slope + (alpha + beta * field.trace) * bend).detach()
    usable = exits & (speed < 0)
    return torch.where(usable, (value.detach() - value) / torch.where(usable, speed, 1.0), 0.0)


def end_of(
    pieces: list[Piece],
    coefficients: Float[Tensor, "B R 6"],
    region: Int64[Tensor, "#B N"],
    chart: Float[Tensor, "#B N 2"],
    charts: Charts,
) -> Float[Tensor, "B N 2"]:
    """The points at time 1: the pieces once more, differentiable twice in the coefficients and in `chart`.

    Args:
        pieces: of the trajectories, with no derivatives of their own.
        coefficients: w₀, w₁, w₂ of each region of each field.
        region: of each point at time 0.
        chart: of each point at time 0, (P, M).
        charts: of the tessellation.
    """
    (batch, regions, _), count = coefficients.shape, chart.shape[1]
    fields = coefficients.reshape(-1, 6)
    last = region.expand(batch, -1).flatten()
    chart = chart.expand(batch, -1, -1).reshape(-1, 2)
    late = torch.zeros_like(chart[:, 0])
    for piece in pieces:
        started, exits = chart[piece.point], piece.barrier >= 0
        # What an exit is late, the next piece that ends inside of a region makes up for.
        delay = torch.where(exits, _delay(piece, fields, started, charts), -late[piece.point])
        moved, there = advance(piece, fields, started, piece.time + delay, charts)
        late = late.index_copy(0, piece.point, torch.where(exits, late[piece.point] + delay, 0.0))
        chart = chart.index_copy(0, piece.point, moved)
        last = last.index_copy(0, piece.point, there % regions)
    return _points(last, chart, charts).view(batch, count, 2)


def gradients(
    pieces: list[Piece],
    coefficients: Float[Tensor, "B R 6"],
    region: Int64[Tensor, "#B N"],
    charts: Charts,
    gradient: Float[Tensor, "B N 2"],
) -> tuple[Float[Tensor, "B R 6"], Float[Tensor, "B N 2"]]:
    """The gradients to the coefficients and to the points, from that to the points at time 1.

    With the adjoint a(t), which ends as `gradient` and obeys a' = −Aᵀ a, the gradient to w₀, w₁ and w₂ of a region is
    ∫ a (1, P, M) dt over the time in it. Exits contribute nothing, since the field is continuous.

    Args:
        pieces: of the trajectories.
        coefficients: w₀, w₁, w₂ of each region of each field.
        region: of each point at time 0.
        charts: of the tessellation.
        gradient: to the points at time 1.
    """
    regions, steepest = coefficients.shape[1], STEEPEST[coefficients.dtype]
    fields = coefficients.reshape(-1, 6)
    # Made from the gradient: under vmap a sum in place must be batched where its terms are.
    found = gradient.new_zeros(fields.shape)
    adjoint = gradient.reshape(-1, 2).clamp(-steepest, steepest)
    rule = _rule(NODES[coefficients.dtype])
    for piece in reversed(pieces):
        local, field = piece.region % regions, field_at(fields[piece.region], piece.chart)
        matrix = fields[piece.region, 2:].view(-1, 2, 2)  # rows w₁ and w₂: the transpose of A
        here = (charts.edges[local] * adjoint[piece.point, :, None]).sum(dim=1)

        def earlier(time: Tensor, here: Tensor = here, field=field, matrix=matrix) -> Tensor:  # type: ignore[no-untyped-def]
            alpha, beta = series(time, field.trace, field.determinant)
            identity, linear = 1 - beta * field.determinant, alpha + beta * field.trace
            return identity[:, None] * here + linear[:, None] * (matrix * here[:, None]).sum(dim=-1)

        for node, weight in rule:
            alpha, beta = series(piece.time * node, field.trace, field.determinant)
            at = piece.chart + (alpha[:, None] * field.velocity + beta[:, None] * field.change)
            weighted = (piece.time * weight)[:, None] * earlier(piece.time * (1 - node))
            found.index_add_(0, piece.region, torch.cat([weighted, weighted * at[:, :1], weighted * at[:, 1:]], dim=1))
        started = (charts.inverse[local] * earlier(piece.time)[:, :, None]).sum(dim=1)
        adjoint[piece.point] = started.clamp(-steepest, steepest)
    return found.view_as(coefficients), adjoint.view_as(gradient)


def _points(region: Int64[Tensor, "n"], chart: Float[Tensor, "n 2"], charts: Charts) -> Float[Tensor, "n 2"]:
    return charts.origin[region] + (charts.edges[region] * chart[:, None]).sum(dim=-1)


@functools.cache
def _rule(n: int) -> list[tuple[float, float]]:
    """Nodes and weights of the Gauss–Legendre rule on [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(n)
    return list(zip(((nodes + 1) / 2).tolist(), (weights / 2).tolist(), strict=True))
