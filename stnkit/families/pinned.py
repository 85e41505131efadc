"""Pinned control points: they stay where they are, and are no entries of θ."""

from collections.abc import Sequence
from typing import final

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from stnkit.errors import InputError
from stnkit.families.positions import on_hull

BORDERS = "borders"


@final
class PinnedPoints:
    """The control points of a family in two groups: the pinned ones and the free ones, whose values θ holds.

    Args:
        pinned: "borders", or the indices of the pinned points in the order of the control points; None pins none.
        border: the mask of the points that "borders" stands for.

    Raises:
        InputError: when `pinned` is neither, an index is repeated or out of range, or no point is free.

    Attributes:
        indices: of the pinned points, ascending.
        free: indices of the other points, ascending.

    Example:
        >>> import torch, stnkit
        >>> points = stnkit.families.PinnedPoints([0, 2], torch.ones(4, dtype=torch.bool))
        >>> points.free.tolist()
        [1, 3]
        >>> points.completed(torch.tensor([[[5.0, 7.0]]]), torch.zeros(1, 4))
        tensor([[[0., 5., 0., 7.]]])
    """

    def __init__(self, pinned: Sequence[int] | str | None, border: Bool[Tensor, "K"]) -> None:
        self.indices: tuple[int, ...] = _indices(pinned, border)
        # On lists: a fake tensor has no values, by which a mask could be read.
        held = set(self.indices)
        free = [index for index in range(len(border)) if index not in held]
        if not free:
            raise InputError(f"pinned: expected a control point that is free, got {pinned}, all {len(border)} of them")
        self.free = torch.tensor(free)
        place = {index: k for k, index in enumerate([*free, *self.indices])}
        self._order = torch.tensor([place[index] for index in range(len(border))])

    @classmethod
    def of_positions(cls, pinned: Sequence[int] | str | None, positions: Float[Tensor, "K ndim"]) -> "PinnedPoints":
        """The same with the border of the convex hull: of a lattice its outermost points.

        Args:
            pinned: as the constructor takes it.
            positions: of the control points, not all on one line (plane).

        Raises:
            InputError: as the constructor does.
        """
        border = torch.zeros(len(positions), dtype=torch.bool)
        return cls(pinned, on_hull(positions) if pinned == BORDERS else border)

    def completed(
        self, values: Float[Tensor, "B ndim F"], resting: Float[Tensor, "ndim K"]
    ) -> Float[Tensor, "B ndim K"]:
        """The values of all control points: those of the free ones as given, the pinned ones at rest.

        Args:
            values: of the free points.
            resting: of all points at the identity.
        """
        if not self.indices:
            return values
        pinned = resting[:, list(self.indices)].to(values).expand(values.shape[0], -1, -1)
        return torch.cat([values, pinned], dim=2).index_select(2, self._order.to(values.device))

    def among_free(
        self, indices: Int64[Tensor, "*any"], values: Float[Tensor, "*any"]
    ) -> tuple[Int64[Tensor, "*any"], Float[Tensor, "*any"]]:
        """Control points as indices of the free ones, with the values 0 where they are pinned.

        Args:
            indices: of control points.
            values: of them.
        """
        if not self.indices:
            return indices, values
        place = self._order.to(indices.device)[indices]
        is_free = place < len(self.free)
        return torch.where(is_free, place, 0), torch.where(is_free, values, 0.0)


def _indices(pinned: Sequence[int] | str | None, border: Bool[Tensor, "K"]) -> tuple[int, ...]:
    """The indices of the pinned points, ascending."""
    if pinned is None:
        return ()
    if pinned == BORDERS:
        return tuple(index for index, is_on_it in enumerate(border.tolist()) if is_on_it)
    given = [] if isinstance(pinned, str) or not isinstance(pinned, Sequence) else list(pinned)
    whole = [index for index in given if isinstance(index, int) and not isinstance(index, bool)]
    known = [index for index in whole if 0 <= index < len(border)]
    if not given or len(known) != len(given) or len(set(known)) != len(known):
        raise InputError(
            f"pinned: expected {BORDERS}, or different indices of control points from 0 to {len(border) - 1}, "
            f"got {pinned!r}"
        )
    return tuple(sorted(known))
