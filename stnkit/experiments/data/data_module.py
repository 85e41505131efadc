"""The Lightning data module: a dataset under a distortion, in whole batches on the training device."""

from typing import Any

import lightning
import torch
from torch import Tensor

from stnkit.datasets import Dataset, Split
from stnkit.distortions import Distortion, WarpDistortion
from stnkit.errors import InputError
from stnkit.experiments.data.loaders import Distorted, Drawn, FixedLoader, Part, TrainLoader, as_float
from stnkit.experiments.data.seeds import generator


class DistortedData(lightning.LightningDataModule):
    """Train draws are fresh in every epoch; validation and test draws are the same for any two models.

    Several processes draw the same batches and take a part of each.

    Args:
        dataset: labeled images.
        distortion: draws θ and warps.
        batch_size: of a training batch, over all processes.
        seed: of the run; only the training draws depend on it.

    Raises:
        InputError: when `batch_size` is less than 1.
    """

    def __init__(self, dataset: Dataset, distortion: Distortion, batch_size: int, seed: int) -> None:
        super().__init__()
        if batch_size < 1:
            raise InputError(f"training.batch_size must be at least 1, but {batch_size} was given")
        self.dataset = dataset
        self.distortion = distortion
        self.batch_size = batch_size
        self.seed = seed
        self._splits: dict[Split, tuple[Tensor, Tensor]] = {}
        self._fixed: dict[Split, FixedLoader] = {}

    @property
    def in_shape(self) -> tuple[int, ...]:
        """(C, *size) of a distorted image."""
        return (self.dataset.image_shape[0], *self.distortion.out_size)

    def split(self, name: Split) -> tuple[Tensor, Tensor]:
        """The undistorted images and the labels of a split, read once."""
        if name not in self._splits:
            self._splits[name] = self.dataset.split(name)
        return self._splits[name]

    @property
    def steps_per_epoch(self) -> int:
        """Number of training batches."""
        return -(-len(self.split("train")[0]) // self.batch_size)

    @property
    def part(self) -> Part:
        """What this process takes of every batch."""
        return Part(self.trainer.global_rank, self.trainer.world_size) if self.trainer else Part()

    def prepare_data(self) -> None:
        # In one process only, before the others read: a download, say.
        self.split("train"), self.split("test")

    def train_dataloader(self) -> TrainLoader:
        images, labels = self.split("train")
        trainer = self.trainer
        assert trainer is not None
        if 0 < len(images) % self.batch_size < trainer.world_size:
            raise InputError(
                f"the last of the training batches would have {len(images) % self.batch_size} of the {len(images)} "
                f"images for training.devices={trainer.world_size}: choose another training.batch_size"
            )
        return TrainLoader(
            images, labels, self.distortion, self.batch_size, self.seed, epoch=lambda: trainer.current_epoch
        )

    def val_dataloader(self) -> FixedLoader:
        return self.fixed("validation")

    def test_dataloader(self) -> FixedLoader:
        return self.fixed("test")

    def fixed(self, split: Split) -> FixedLoader:
        """The distorted images of the validation or test split, made at the first call."""
        if split not in self._fixed:
            images, labels = self.split(split)
            device = self.trainer.strategy.root_device if self.trainer else torch.device("cpu")
            self._fixed[split] = FixedLoader(images, labels, self.distortion, self.batch_size, split, device, self.part)
        return self._fixed[split]

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Distorted:
        if not isinstance(batch, Drawn):
            return Distorted(*batch)
        n, own = len(batch.labels), self.part.of(len(batch.labels))
        draws = generator(batch.seed, device=batch.images.device)
        if isinstance(self.distortion, WarpDistortion):  # θ says it all, and draws nothing
            images = self.distortion.apply(as_float(batch.images[own]), batch.theta[own], draws)
        else:
            images = self.distortion.apply(as_float(batch.images), batch.theta, draws)[own]
        return Distorted(images, batch.labels[own], batch.theta[own], self.part.weight(n))
