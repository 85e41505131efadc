"""The end of all trajectories and its first derivatives, on values: the work of the operator."""

from typing import NamedTuple

from jaxtyping import Float, Int64
from torch import Tensor

from stnkit.families.flows.tessellation import Charts, Tessellation
from stnkit.families.flows.trajectory import gradients, pieces_of
from stnkit.native import flow as native
from stnkit.native.arrangement import Arrangement, arranged


class Start(NamedTuple):
    """Points at time 0, for each field or (batch of 1) the same for all.

    Args:
        points: normalized.
        region: of each.
        chart: (P, M) of each in its region.
        arrangement: the same as the native kernel reads it; None to make it where it is needed.
    """

    points: Float[Tensor, "b N 2"]
    region: Int64[Tensor, "b N"]
    chart: Float[Tensor, "b N 2"]
    arrangement: Arrangement | None = None


def solved(coefficients: Float[Tensor, "B R 6"], start: Start, tessellation: Tessellation) -> Float[Tensor, "B N 2"]:
    """The points at time 1.

    Args:
        coefficients: of the fields in each region.
        start: points at time 0.
        tessellation: with the regions.
    """
    charts = tessellation.charts_like(start.points)
    if native.takes_flow(coefficients, start.chart):
        return native.forward(coefficients, _arrangement(start, charts), _in_memory(charts)).transpose(1, 2)
    return pieces_of(coefficients, start.region, start.chart, charts)[1]


def derived(
    coefficients: Float[Tensor, "B R 6"],
    start: Start,
    tessellation: Tessellation,
    gradient: Float[Tensor, "B N 2"],
    wants_points: bool,
) -> tuple[Float[Tensor, "B R 6"], Float[Tensor, "b N 2"] | None]:
    """The gradients to the coefficients and, if wanted, to the points at time 0.

    Args:
        coefficients: of the fields in each region.
        start: points at time 0.
        tessellation: with the regions.
        gradient: to the points at time 1.
        wants_points: False to leave the second one out.
    """
    charts = tessellation.charts_like(start.points)
    if native.takes_flow(coefficients, start.chart, gradient):
        planes, arrangement = gradient.transpose(1, 2), _arrangement(start, charts)
        to_coefficients, of_planes = native.backward(
            planes, coefficients, arrangement, _in_memory(charts), wants_points
        )
        to_points = None if of_planes is None else of_planes.transpose(1, 2).sum_to_size(start.points.shape)
        return to_coefficients, to_points
    pieces, _ = pieces_of(coefficients, start.region, start.chart, charts)
    to_coefficients, to_points = gradients(pieces, coefficients, start.region, charts, gradient)
    if not wants_points:
        return to_coefficients, None
    return to_coefficients, to_points.sum_to_size(start.points.shape)


def _arrangement(start: Start, charts: Charts) -> Arrangement:
    return start.arrangement or arranged(start.region, start.chart, len(charts.slopes))


def _in_memory(charts: Charts) -> tuple[Tensor, ...]:
    return charts.origin, charts.edges, charts.inverse, charts.slopes, charts.neighbor, charts.transition
