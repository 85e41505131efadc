"""A metric over the images of an epoch: add batches, reduce over processes, compute, reset."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from stnkit.errors import CheckpointError

IMAGES = "images"
# Not an identifier, so that it is no name of a figure.
WEIGHT = "total weight"
# The sums in checkpoints of versions without objectives, which do not hold their names: these, then the losses on θ.
EARLIER = ("loss", "errors", "outside", "theta_distance", IMAGES)


class EpochSums:
    """Σ over the images of an epoch, in float64, of losses and figures.

    Args:
        names: of the losses and figures, in the order of `compute`.
        weighted: those of them that are means by the weights of an objective.

    Example:
        >>> import torch
        >>> from stnkit.experiments.loop.epoch_sums import EpochSums
        >>> sums = EpochSums(["loss", "error"])
        >>> sums.add(4, {"loss": torch.tensor(0.5)}, {"error": torch.tensor([0.0, 100.0, 0.0, 0.0])})
        >>> sums.compute()
        {'loss': 0.5, 'error': 25.0}
    """

    def __init__(self, names: Sequence[str], weighted: Sequence[str] = ()) -> None:
        self.names = tuple(dict.fromkeys([*names, IMAGES, WEIGHT]))
        self.weighted = tuple(weighted)
        self._sums = torch.zeros(len(self.names), dtype=torch.float64)

    def add(
        self, n: int, means: Mapping[str, Tensor], each: Mapping[str, Tensor], weight: Tensor | None = None
    ) -> None:
        """Add a batch.

        Args:
            n: number of images.
            means: numbers that are a mean over the batch, by name.
            each: by name, one number for each image, or for some of them, whose mean stands for the batch.
            weight: the sum of the weights of the images in the means that are `weighted`; None for n.
        """
        whole = {name: n if weight is None or name not in self.weighted else weight for name in means}
        sums = {name: (value.detach() * whole[name]).double() for name, value in means.items()}
        for name, values in each.items():
            total = values.detach().double().sum()
            sums[name] = total if len(values) == n else total * (n / len(values))
        device = next(iter(sums.values())).device
        sums[IMAGES] = torch.tensor(n, dtype=torch.float64, device=device)
        sums[WEIGHT] = sums[IMAGES] if weight is None else weight.double()
        absent = torch.zeros((), dtype=torch.float64, device=device)
        batch = torch.stack([sums.get(name, absent) for name in self.names])
        # Not in place: a validation epoch makes inference tensors.
        self._sums = self._sums.to(device) + batch

    def reduced(self, reduce: Callable[[Tensor], Tensor]) -> "EpochSums":
        """The sums over all processes.

        Args:
            reduce: sum of a tensor over the processes; it may work in place.
        """
        total = EpochSums(self.names, self.weighted)
        total._sums = reduce(self._sums.clone())
        return total

    def compute(self) -> dict[str, float]:
        """Means over the images so far, by name; 0 for a loss in which none of them has a weight."""
        sums = dict(zip(self.names, self._sums.tolist(), strict=True))
        images, weight = sums.pop(IMAGES), sums.pop(WEIGHT)
        return {
            # The sum is 0 too, or NaN if a loss was.
            name: total / ((weight or 1.0) if name in self.weighted else images)
            for name, total in sums.items()
        }

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
            later = (n for n in self.names if n not in (*EARLIER, "error", WEIGHT))
            state = dict(zip([*EARLIER, *later], state, strict=True))
            state["error"] = 100 * state.pop("errors")
        elif others := sorted((set(state) ^ set(self.names)) - {WEIGHT}):
            raise CheckpointError(
                f"expected a checkpoint of the same losses and figures, got one that differs in {', '.join(others)}: "
                f"the run is of a version with other defaults; give its options, or train anew with overwrite=true"
            )
        # Versions without weights took all images to have the same.
        state = {WEIGHT: state[IMAGES], **state}
        self._sums = torch.stack([torch.as_tensor(state[name]) for name in self.names]).to(self._sums)
