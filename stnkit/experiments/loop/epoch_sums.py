"""A metric over the images of an epoch: add batches, reduce over processes, compute, reset."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

# The layout of the sums in a checkpoint: these, then further means in their order.
LAYOUT = ("loss", "errors", "outside", "theta_distance", "images")


class EpochSums:
    """Σ over the images of an epoch, in float64, of the loss, the errors and further figures.

    Args:
        means: names of the further figures, of each of which `add` gets the mean over the batch.
    """

    def __init__(self, means: Sequence[str] = ()) -> None:
        self.means = tuple(means)
        self._names = (*LAYOUT, *(name for name in self.means if name not in LAYOUT))
        self._sums = torch.zeros(len(self._names), dtype=torch.float64)

    def add(self, n: int, *, loss: Tensor, errors: Tensor, **means: Tensor) -> None:
        """Add a batch.

        Args:
            n: number of images.
            loss: mean over the batch.
            errors: number of images with a wrong class.
            means: the further figures by name, each a mean over the batch.
        """
        sums = {name: value.detach() * n for name, value in {"loss": loss, **means}.items()}
        sums |= {"errors": errors.to(loss.dtype), "images": loss.new_tensor(n)}
        absent = loss.new_zeros(())
        batch = torch.stack([sums.get(name, absent) for name in self._names]).double()
        # Not in place: a validation epoch makes inference tensors.
        self._sums = self._sums.to(batch.device) + batch

    def reduced(self, reduce: Callable[[Tensor], Tensor]) -> "EpochSums":
        """The sums over all processes.

        Args:
            reduce: sum of a tensor over the processes; it may work in place.
        """
        total = EpochSums(self.means)
        total._sums = reduce(self._sums.clone())
        return total

    def compute(self) -> dict[str, float]:
        """Means over the images so far: `loss`, `error` in percent, and the further figures by name."""
        sums = dict(zip(self._names, self._sums.tolist(), strict=True))
        images = sums["images"]
        figures = {"loss": sums["loss"] / images, "error": 100 * sums["errors"] / images}
        return figures | {name: sums[name] / images for name in self.means}

    def reset(self) -> None:
        """Start an epoch."""
        self._sums = torch.zeros_like(self._sums)

    def state(self) -> Tensor:
        """The sums as a checkpoint stores them."""
        return self._sums

    def load_state(self, state: Tensor) -> None:
        """Continue from the sums of a checkpoint.

        Args:
            state: of EpochSums with the same further figures.
        """
        self._sums = state.to(self._sums)
