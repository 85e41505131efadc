"""Validation and test images: distorted when they are read, and the same for every model and every batch size."""

import math
from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float, Shaped, UInt8
from torch import Tensor

from stnkit.distortions import Distortion
from stnkit.experiments.data.distorted import check_finite, distorted_images, drawn_theta
from stnkit.experiments.data.loaders import Distorted, Shard
from stnkit.experiments.data.rows import Rows, as_float
from stnkit.experiments.data.seeds import generator

# Images that are distorted at once: so many, or fewer where as many would take more bytes in float32.
CHUNK, CHUNK_BYTES = 1024, 32 * 2**20
Index = int | slice | Sequence[int] | Tensor


class FixedLoader:
    """A split whose draws follow from its name and the index of an image alone.

    Images are distorted in chunks whose length follows from their shape, since clutter and rounding depend on the
    images that are distorted together. The last chunk is in memory, and no other.

    Args:
        images: of the split, uint8 or floating-point.
        labels: the targets of all images.
        distortion: draws θ and warps.
        batch_size: of a batch, over all processes.
        split: name of the split, the only seed of the draws: they do not depend on the seed of the run.
        device: where the images are distorted.
        shard: the share of the images that is handed out.
        dtype: of the distorted images.

    Example:
        >>> import stnkit, torch
        >>> from stnkit.experiments.data.fixed import FixedLoader
        >>> images, labels = stnkit.build("dataset", "digits").split("test")
        >>> rotation = stnkit.build("distortion", "rotation", image_shape=(1, 28, 28))
        >>> test = FixedLoader(images, labels, rotation, 64, "test", torch.device("cpu"))
        >>> test.images[:8].shape, test.rows([3, 1]).labels.tolist()
        (torch.Size([8, 1, 28, 28]), [6, 5])
    """

    def __init__(
        self,
        images: UInt8[Tensor, "N C *size"] | Float[Tensor, "N C *size"],
        labels: Shaped[Tensor, "N *target"],
        distortion: Distortion,
        batch_size: int,
        split: str,
        device: torch.device,
        shard: Shard = Shard(),  # noqa: B008 immutable
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.batch_size = batch_size
        self.shard = shard
        self.dtype = dtype
        self.originals = images
        self.theta = drawn_theta(distortion, len(images), generator("fixed", split)).to(device)
        self.labels = labels.to(device)
        self.chunk = chunk_length(images.shape[1:], (images.shape[1], *distortion.out_size))
        self._rows = Rows(images)
        self._distortion, self._split, self._device = distortion, split, device
        self._last: tuple[int, Tensor] | None = None

    def __len__(self) -> int:
        # The same in all processes, since they wait for each other at every batch.
        return -(-len(self._rows) // self.batch_size)

    def __iter__(self) -> Iterator[Distorted]:
        self._rows.refresh()
        own = torch.arange(len(self._rows))[self.shard.of(len(self._rows))]
        for index in torch.tensor_split(own, len(self)):
            yield self.rows(index)
        self._last = None

    @property
    def images(self) -> "DistortedImages":
        """The distorted images, which are computed when they are indexed."""
        return DistortedImages(self)

    def rows(self, index: Index) -> Distorted:
        """Distorted images with their targets and θ.

        Args:
            index: of the images: a number, a slice, or a list or tensor of numbers. A number gives a batch of one.
        """
        chosen = torch.arange(len(self._rows))[index].reshape(-1)
        on_device = chosen.to(self._device)
        return Distorted(self._images(chosen), self.labels[on_device], self.theta[on_device])

    def _images(self, chosen: Tensor) -> Tensor:
        numbers = torch.unique(chosen // self.chunk).tolist()
        if len(numbers) == 1:
            inside = chosen - numbers[0] * self.chunk
            distorted = self._distorted(numbers[0])
            if bool((inside.diff() == 1).all()):
                return distorted[
                    int(inside[0]) : int(inside[-1]) + 1
                ].clone()  # a network may change its input in place
            return distorted[inside.to(self._device)]
        shape = (len(chosen), self.originals.shape[1], *self._distortion.out_size)
        gathered = torch.empty(shape, dtype=self.dtype, device=self._device)
        for number in numbers:
            places = torch.nonzero(chosen // self.chunk == number)[:, 0]
            inside = (chosen[places] - number * self.chunk).to(self._device)
            gathered[places.to(self._device)] = self._distorted(number)[inside]
        return gathered

    def _distorted(self, number: int) -> Tensor:
        """The distorted images of a chunk."""
        if self._last is None or self._last[0] != number:
            self._last = None  # not two chunks at once
            start, stop = number * self.chunk, min((number + 1) * self.chunk, len(self._rows))
            originals = as_float(self._rows.chunk(start, stop).to(self._device))
            draws = generator("fixed", self._split, number, device=self._device)
            distorted = distorted_images(self._distortion, originals, self.theta[start:stop], draws).to(self.dtype)
            if number == 0:  # of one chunk, since it waits for the device
                check_finite(self._distortion, distorted)
            self._last = number, distorted
        return self._last[1]


class DistortedImages:
    """A view of the distorted images of a split: `images[:8]` computes eight of them.

    Args:
        loader: of the split.
    """

    def __init__(self, loader: FixedLoader) -> None:
        self._loader = loader
        self.dtype = loader.dtype

    @property
    def shape(self) -> torch.Size:
        """(N, C, *size)."""
        originals = self._loader.originals
        return torch.Size((*originals.shape[:2], *self._loader._distortion.out_size))

    def __len__(self) -> int:
        return len(self._loader.originals)

    def __getitem__(self, index: Index) -> Float[Tensor, "*any"]:
        images = self._loader.rows(index).images
        return images[0] if isinstance(index, int) else images

    def __iter__(self) -> Iterator[Tensor]:
        return (image for batch in self.chunks() for image in batch)

    def chunks(self) -> Iterator[Float[Tensor, "B C *size"]]:
        """All images in their order, a chunk at a time."""
        for start in range(0, len(self), self._loader.chunk):
            yield self[start : start + self._loader.chunk]


def chunk_length(*shapes: Sequence[int]) -> int:
    """The number of images that are distorted at once.

    Args:
        shapes: (C, *size) of an original and of a distorted image; the larger one counts.
    """
    largest = max(math.prod(shape) for shape in shapes)
    return max(1, min(CHUNK, CHUNK_BYTES // (4 * largest)))
