"""A metric over the images of an epoch: add batches, reduce over processes, compute, reset."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from stnkit.errors import CheckpointError

IMAGES = "images"
# The sums in checkpoints of versions without objectives, which do not hold their names: these, then the losses on θ.
EARLIER = ("loss", "errors", "outside", "theta_distance", IMAGES)


class EpochSums:
    """Σ over the images of an epoch, in float64, of losses and figures.

    Args:
        names: of the losses and figures, in the order of `compute`.

    Example:
        >>> import torch
        >>> from stnkit.experiments.loop.epoch_sums import EpochSums
        >>> sums = EpochSums(["loss", "error"])
        >>> sums.add(4, {"loss": torch.tensor(0.5)}, {"error": torch.tensor([0.0, 100.0, 0.0, 0.0])})
        >>> sums.compute()
        {'loss': 0.5, 'error': 25.0}
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(dict.fromkeys([*names, IMAGES]))
        self._sums = torch.zeros(len(self.names), dtype=torch.float64)

    def add(self, n: int, means: Mapping[str, Tensor], each: Mapping[str, Tensor]) -> None:
        """Add a batch.

        Args:
            n: number of images.
            means: numbers that are a mean over the batch, by name.
            each: by name, one number for each image, or for some of them, whose mean stands for the batch.
        """
        sums = {name: (value.detach() * n).double() for name, value in means.items()}
        for name, values in each.items():
            total = values.detach().double().sum()
            sums[name] = total if len(values) == n else total * (n / len(values))
        device = next(iter(sums.values())).device
        sums[IMAGES] = torch.tensor(n, dtype=torch.float64, device=device)
        absent = torch.zeros((), dtype=torch.float64, device=device)
        batch = torch.stack([sums.get(name, absent) for name in self.names])
        # Not in place: a validation epoch makes inference tensors.
        self._sums = self._sums.to(device) + batch

    def reduced(self, reduce: Callable[[Tensor], Tensor]) -> "EpochSums":
        """The sums over all processes.

        Args:
            reduce: sum of a tensor over the processes; it may work in place.
        """
        total = EpochSums(self.names)
        total._sums = reduce(self._sums.clone())
        return total

    def compute(self) -> dict[str, float]:
        """Means over the images so far, by name."""
        sums = dict(zip(self.names, self._sums.tolist(), strict=True))
        images = sums.pop(IMAGES)
        return {name: total / images for name, total in sums.items()}

    def reset(self) -> None:
        """Start an epoch."""
        self._sums = torch.zeros_like(self._sums)

    def state(self) -> dict[str, Tensor]:
        """The sums by name, as a checkpoint stores them."""
        return dict(zip(self.names, self._sums.unbind(), strict=True))

    def load_state(self, state: Mapping[str, Tensor] | Tensor) -> None:
        """Continue from the sums of a checkpoint.

        Args:
            state: of EpochSums with the same names, or the tensor of a version without objectives.

        Raises:
            CheckpointError: when the names are others, as those of a version with other defaults.
        """
        if isinstance(state, Tensor):
            state = dict(zip([*EARLIER, *(n for n in self.names if n not in (*EARLIER, "error"))], state, strict=True))
            state["error"] = 100 * state.pop("errors")
        elif others := sorted(set(state) ^ set(self.names)):
            raise CheckpointError(
                f"expected a checkpoint of the same losses and figures, got one that differs in {', '.join(others)}: "
                f"the run is of a version with other defaults; give its options, or train anew with overwrite=true"
            )
        self._sums = torch.stack([torch.as_tensor(state[name]) for name in self.names]).to(self._sums)
