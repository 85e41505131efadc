"""Batches of training images, whose order and draws depend on (seed, epoch, index) alone."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float, Shaped, UInt8
from torch import Tensor

from stnkit.distortions import Distortion, WarpDistortion
from stnkit.experiments.data.distorted import drawn_theta
from stnkit.experiments.data.rows import Rows
from stnkit.experiments.data.seeds import derived_seed, generator


class Shard(NamedTuple):
    """One process's share of every batch: the `rank`-th of `world` nearly equal slices."""

    rank: int = 0
    world: int = 1

    def of(self, n: int) -> slice:
        """Its indices among n."""
        return slice(n * self.rank // self.world, n * (self.rank + 1) // self.world)

    def weight(self, n: int) -> float:
        """Size of the shard / n · world: the mean over processes of the weighted means is the mean over all n."""
        own = self.of(n)
        return (own.stop - own.start) * self.world / n


class Drawn(NamedTuple):
    """Original images, their targets, the θ that distorts each, and a seed for what θ does not describe.

    `own` is the shard of this process among them, `weight` that of its mean in the batch, and `place` where its images
    lie in the whole batch: the number of those in front of them, and of all.
    """

    images: UInt8[Tensor, "B C *size"] | Float[Tensor, "B C *size"]
    labels: Shaped[Tensor, "B *target"]
    theta: Float[Tensor, "B P"]
    seed: int
    own: slice = slice(None)
    weight: float = 1.0
    place: tuple[int, int] | None = None

    @property
    def held(self) -> tuple[int, int]:
        """The number of images of the whole batch in front of those that it holds, its own ones or all, and of all."""
        return (0, len(self.images)) if self.place is None or self.own != slice(None) else self.place


class Distorted(NamedTuple):
    """Distorted images, their targets, the θ that distorted each, the weight of their mean, and their place.

    `again` are the same originals, distorted anew, where a loss on θ reads them. `place` is where they lie in the whole
    batch of all processes: the number of images in front of them, and of all; None where they are all.
    """

    images: Float[Tensor, "B C *size"]
    labels: Shaped[Tensor, "B *target"]
    theta: Float[Tensor, "B P"]
    weight: float = 1.0
    place: tuple[int, int] | None = None
    again: Float[Tensor, "B C *size"] | None = None


class TrainLoader:
    """Shuffled batches with fresh distortions in every epoch, resumable in mid-epoch.

    Every process draws the whole batch. It reads its shard of the images alone where θ describes the distortion, and
    the whole batch for the draws that depend on it, as those of clutter.

    Args:
        images: of the training split, uint8 or floating-point.
        labels: the targets of all images.
        distortion: draws θ.
        batch_size: of the whole batch; the last one of an epoch may be smaller.
        seed: of the run.
        epoch: returns the number of the running epoch.
        shard: the share of every batch that this process takes.
    """

    def __init__(
        self,
        images: UInt8[Tensor, "N C *size"] | Float[Tensor, "N C *size"],
        labels: Shaped[Tensor, "N *target"],
        distortion: Distortion,
        batch_size: int,
        seed: int,
        epoch: Callable[[], int],
        shard: Shard = Shard(),  # noqa: B008 immutable
    ) -> None:
        self.images, self.labels = Rows(images), labels
        self.distortion = distortion
        self.batch_size = batch_size
        self.seed = seed
        self.shard = shard
        self._current_epoch = epoch
        self._epoch, self._index = 0, 0
        self._resumed: dict[str, int] | None = None

    def __len__(self) -> int:
        return -(-len(self.images) // self.batch_size)

    def __iter__(self) -> Iterator[Drawn]:
        epoch = self._current_epoch()
        # The first batch of the rest of a resumed epoch; 0 in any other epoch.
        first = self._resumed["index"] if self._resumed and self._resumed["epoch"] == epoch else 0
        self._resumed = None
        self._epoch, self._index = epoch, first
        self.images.refresh()
        draws = generator(self.seed, "train", epoch)
        order = torch.randperm(len(self.images), generator=draws)
        theta = drawn_theta(self.distortion, len(self.images), draws)
        for index in range(first, len(self)):
            batch = slice(index * self.batch_size, (index + 1) * self.batch_size)
            self._index = index + 1
            seed = derived_seed(self.seed, "train", epoch, index)
            yield self._drawn(order[batch], theta[batch], seed)

    def _drawn(self, chosen: Tensor, theta: Tensor, seed: int) -> Drawn:
        own, weight = self.shard.of(len(chosen)), self.shard.weight(len(chosen))
        place = own.start, len(chosen)
        if isinstance(self.distortion, WarpDistortion):  # θ describes all of it: no draws that depend on the batch
            chosen, theta, own = chosen[own], theta[own], slice(None)
        return Drawn(self.images.take(chosen), self.labels[chosen], theta, seed, own, weight, place)

    def state_dict(self) -> dict[str, int]:
        """Epoch and number of batches handed out, for Lightning's checkpoints."""
        return {"epoch": self._epoch, "index": self._index}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Continue after the batch at which the state was taken."""
        self._resumed = state
        self._epoch, self._index = state["epoch"], state["index"]
