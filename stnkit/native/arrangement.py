"""Points in the order in which the native kernel reads them: region by region."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int32, Int64
from torch import Tensor


class Arrangement(NamedTuple):
    """Points sorted by their region, for each field or (batch of 1) the same for all.

    Args:
        order: index of each point before sorting.
        first: first point of each region, and their number.
        chart: planes of P and of M.
    """

    order: Int32[Tensor, "b N"]
    first: Int32[Tensor, "b R1"]
    chart: Float[Tensor, "b 2 N"]


def arranged(region: Int64[Tensor, "b N"], chart: Float[Tensor, "b N 2"], regions: int) -> Arrangement:
    """Points sorted by their region.

    Args:
        region: of each point.
        chart: (P, M) of each point.
        regions: number of regions.
    """
    ordered, order = region.sort(dim=1, stable=True)
    bounds = torch.arange(regions + 1, device=region.device).expand(len(region), -1).contiguous()
    first = torch.searchsorted(ordered.contiguous(), bounds)
    return Arrangement(order.int(), first.int(), chart.transpose(1, 2).gather(2, order[:, None].expand(-1, 2, -1)))
