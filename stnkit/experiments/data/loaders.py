"""Batches of whole tensors, in an order and with draws that follow from (seed, epoch, index) alone."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from stnkit.distortions import Distortion
from stnkit.experiments.data.seeds import derived_seed, generator


class Part(NamedTuple):
    """What one of several processes takes of every batch: the `rank`-th of `world` nearly equal parts."""

    rank: int = 0
    world: int = 1

    def of(self, n: int) -> slice:
        """Its indices among n."""
        return slice(n * self.rank // self.world, n * (self.rank + 1) // self.world)

    def weight(self, n: int) -> float:
        """What its mean counts, so that the mean over processes is the mean over all n: 1 for equal parts."""
        part = self.of(n)
        return (part.stop - part.start) * self.world / n


class Drawn(NamedTuple):
    """Original images, their labels, the θ that distorts each, and a seed for what θ does not describe."""

    images: UInt8[Tensor, "B C *size"]
    labels: Int64[Tensor, "B"]
    theta: Float[Tensor, "B P"]
    seed: int


class Distorted(NamedTuple):
    """Distorted images with values in [0, 1], their labels, the θ that distorted each, and what their mean counts."""

    images: Float[Tensor, "B C *size"]
    labels: Int64[Tensor, "B"]
    theta: Float[Tensor, "B P"]
    weight: float = 1.0


class TrainLoader:
    """Shuffled batches with fresh distortions in every epoch, resumable in mid-epoch.

    Args:
        images: all of them, uint8.
        labels: of all images.
        distortion: draws θ.
        batch_size: of the whole batch; the last one of an epoch may be smaller.
        seed: of the run.
        epoch: tells which epoch is running.
    """

    def __init__(
        self,
        images: UInt8[Tensor, "N C *size"],
        labels: Int64[Tensor, "N"],
        distortion: Distortion,
        batch_size: int,
        seed: int,
        epoch: Callable[[], int],
    ) -> None:
        self.images, self.labels = images, labels
        self.distortion = distortion
        self.batch_size = batch_size
        self.seed = seed
        self._current_epoch = epoch
        self._epoch, self._index = 0, 0
        self._resumed: dict[str, int] | None = None

    def __len__(self) -> int:
        return -(-len(self.images) // self.batch_size)

    def __iter__(self) -> Iterator[Drawn]:
        epoch = self._current_epoch()
        # Where a resumed epoch goes on; 0 for one that begins.
        first = self._resumed["index"] if self._resumed and self._resumed["epoch"] == epoch else 0
        self._resumed = None
        self._epoch, self._index = epoch, first
        draws = generator(self.seed, "train", epoch)
        order = torch.randperm(len(self.images), generator=draws)
        theta = self.distortion.sample(len(self.images), draws)
        for index in range(first, len(self)):
            part = slice(index * self.batch_size, (index + 1) * self.batch_size)
            chosen = order[part]
            self._index = index + 1
            seed = derived_seed(self.seed, "train", epoch, index)
            yield Drawn(self.images[chosen], self.labels[chosen], theta[part], seed)

    def state_dict(self) -> dict[str, int]:
        """Epoch and number of batches handed out, for Lightning's checkpoints."""
        return {"epoch": self._epoch, "index": self._index}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on after the batch at which the state was taken."""
        self._resumed = state
        self._epoch, self._index = state["epoch"], state["index"]


class FixedLoader:
    """A split that was distorted once: the same images for every model, whatever the batch size.

    Args:
        images: all of them, uint8.
        labels: of all images.
        distortion: draws θ and warps.
        batch_size: of a batch, over all processes.
        split: names the draws: they depend on nothing else, the run's seed included.
        device: where the images are distorted, and kept.
        part: which of the images are handed out.
    """

    CHUNK = 1024

    def __init__(
        self,
        images: UInt8[Tensor, "N C *size"],
        labels: Int64[Tensor, "N"],
        distortion: Distortion,
        batch_size: int,
        split: str,
        device: torch.device,
        part: Part = Part(),  # noqa: B008 it cannot be changed
    ) -> None:
        self.batch_size = batch_size
        self.part = part
        theta = distortion.sample(len(images), generator("fixed", split)).to(device)
        self.originals = images
        self.images = torch.cat(
            [
                distortion.apply(as_float(part.to(device)), part_theta, generator("fixed", split, i, device=device))
                for i, (part, part_theta) in enumerate(
                    zip(torch.split(images, self.CHUNK), torch.split(theta, self.CHUNK), strict=True)
                )
            ]
        )
        self.labels, self.theta = labels.to(device), theta

    def __len__(self) -> int:
        # The same in all processes: they wait for each other at every batch.
        return -(-len(self.images) // self.batch_size)

    def __iter__(self) -> Iterator[Distorted]:
        own = self.part.of(len(self.images))
        parts = (torch.tensor_split(tensor[own], len(self)) for tensor in (self.images, self.labels, self.theta))
        yield from map(Distorted, *parts)


def as_float(images: UInt8[Tensor, "B C *size"]) -> Float[Tensor, "B C *size"]:
    """0 … 255 as 0 … 1: the background stays 0, which is what zero padding reads."""
    return images.float().div_(255)
