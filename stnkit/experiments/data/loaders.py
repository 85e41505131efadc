"""Batches of whole tensors, whose order and draws depend on (seed, epoch, index) alone."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from stnkit.distortions import Distortion
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
    """Original images, their labels, the θ that distorts each, and a seed for what θ does not describe."""

    images: UInt8[Tensor, "B C *size"]
    labels: Int64[Tensor, "B"]
    theta: Float[Tensor, "B P"]
    seed: int


class Distorted(NamedTuple):
    """Distorted images with values in [0, 1], their labels, the θ that distorted each, and the weight of their mean."""

    images: Float[Tensor, "B C *size"]
    labels: Int64[Tensor, "B"]
    theta: Float[Tensor, "B P"]
    weight: float = 1.0


class TrainLoader:
    """Shuffled batches with fresh distortions in every epoch, resumable in mid-epoch.

    Args:
        images: of the training split, uint8.
        labels: of all images.
        distortion: draws θ.
        batch_size: of the whole batch; the last one of an epoch may be smaller.
        seed: of the run.
        epoch: returns the number of the running epoch.
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
        # The first batch of the rest of a resumed epoch; 0 in any other epoch.
        first = self._resumed["index"] if self._resumed and self._resumed["epoch"] == epoch else 0
        self._resumed = None
        self._epoch, self._index = epoch, first
        draws = generator(self.seed, "train", epoch)
        order = torch.randperm(len(self.images), generator=draws)
        theta = self.distortion.sample(len(self.images), draws)
        for index in range(first, len(self)):
            batch = slice(index * self.batch_size, (index + 1) * self.batch_size)
            chosen = order[batch]
            self._index = index + 1
            seed = derived_seed(self.seed, "train", epoch, index)
            yield Drawn(self.images[chosen], self.labels[chosen], theta[batch], seed)

    def state_dict(self) -> dict[str, int]:
        """Epoch and number of batches handed out, for Lightning's checkpoints."""
        return {"epoch": self._epoch, "index": self._index}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Continue after the batch at which the state was taken."""
        self._resumed = state
        self._epoch, self._index = state["epoch"], state["index"]


class FixedLoader:
    """A split that is distorted once: the same images for every model and every batch size.

    Args:
        images: of the split, uint8.
        labels: of all images.
        distortion: draws θ and warps.
        batch_size: of a batch, over all processes.
        split: name of the split, the only seed of the draws: they do not depend on the seed of the run.
        device: where the images are distorted and stored.
        shard: the share of the images that is handed out.
        dtype: of the distorted images.
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
        shard: Shard = Shard(),  # noqa: B008 immutable
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.batch_size = batch_size
        self.shard = shard
        theta = distortion.sample(len(images), generator("fixed", split)).to(device)
        self.originals = images
        self.images = torch.cat(
            [
                distortion.apply(
                    as_float(chunk.to(device)), chunk_theta, generator("fixed", split, i, device=device)
                ).to(dtype)
                for i, (chunk, chunk_theta) in enumerate(
                    zip(torch.split(images, self.CHUNK), torch.split(theta, self.CHUNK), strict=True)
                )
            ]
        )
        self.labels, self.theta = labels.to(device), theta

    def __len__(self) -> int:
        # The same in all processes, since they wait for each other at every batch.
        return -(-len(self.images) // self.batch_size)

    def __iter__(self) -> Iterator[Distorted]:
        own = self.shard.of(len(self.images))
        batches = (torch.tensor_split(tensor[own], len(self)) for tensor in (self.images, self.labels, self.theta))
        yield from map(Distorted, *batches)


def as_float(images: UInt8[Tensor, "B C *size"]) -> Float[Tensor, "B C *size"]:
    """Images / 255: from 0 … 255 to 0 … 1, the background at 0 as zero padding has it."""
    return images.float().div_(255)
