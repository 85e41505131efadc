"""Figures of the test images of each class."""

from collections.abc import Callable, Mapping, Sequence

import torch
from jaxtyping import Int64, Shaped
from torch import Tensor


class FiguresByClass:
    """Means of figures over the images of each class, in float64.

    Args:
        names: of the figures.
        n_classes: number of classes.

    Example:
        >>> import torch
        >>> from stnkit.experiments.loop.figures_by_class import FiguresByClass
        >>> by_class = FiguresByClass(["error"], 2)
        >>> by_class.add(torch.tensor([0, 1, 1]), {"error": torch.tensor([0.0, 100.0, 0.0])})
        >>> by_class.compute()
        {'error': [0.0, 50.0], 'images': [1, 2]}
    """

    def __init__(self, names: Sequence[str], n_classes: int) -> None:
        self.names = tuple(names)
        self._sums = torch.zeros(n_classes, len(self.names) + 1, dtype=torch.float64)

    def add(self, labels: Int64[Tensor, "B"], figures: Mapping[str, Shaped[Tensor, "B"]]) -> None:
        """Add a batch.

        Args:
            labels: of the images.
            figures: by name.
        """
        values = [figures[name].double() for name in self.names]
        rows = torch.stack([*values, torch.ones_like(values[0])], dim=1)
        # Not in place: a test epoch makes inference tensors.
        self._sums = self._sums.to(labels.device).index_add(0, labels, rows)

    def reduce(self, reduce: Callable[[Tensor], Tensor]) -> None:
        """Sum over all processes.

        Args:
            reduce: sum of a tensor over the processes; it may work in place.
        """
        self._sums = reduce(self._sums.clone())

    def reset(self) -> None:
        """Start an epoch."""
        self._sums = torch.zeros_like(self._sums)

    def compute(self) -> dict[str, list[float] | list[int]]:
        """Each figure by name, a list with one entry for each class, and the number of images; NaN without images."""
        sums, images = self._sums[:, :-1].cpu(), self._sums[:, -1].cpu()
        means = (sums / images[:, None]).mT.tolist()
        return {**dict(zip(self.names, means, strict=True)), "images": images.long().tolist()}
