"""The Lightning data module: a dataset under a distortion, in whole batches on the training device."""

from typing import Any

import lightning
import torch
from torch import Tensor

from stnkit.errors import InputError
from stnkit.experiments.datasets import Dataset, Split
from stnkit.experiments.distortions import Distortion
from stnkit.experiments.loaders import Distorted, Drawn, FixedLoader, TrainLoader, as_float
from stnkit.experiments.seeds import generator


class DistortedData(lightning.LightningDataModule):
    """Train draws are fresh in every epoch; validation and test draws are the same for any two models.

    Args:
        dataset: labeled images.
        distortion: draws θ and warps.
        batch_size: of a training batch.
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

    def train_dataloader(self) -> TrainLoader:
        images, labels = self.split("train")
        trainer = self.trainer
        assert trainer is not None
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
            self._fixed[split] = FixedLoader(images, labels, self.distortion, self.batch_size, split, device)
        return self._fixed[split]

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Distorted:
        if not isinstance(batch, Drawn):
            return Distorted(*batch)
        draws = generator(batch.seed, device=batch.images.device)
        images = self.distortion.apply(as_float(batch.images), batch.theta, draws)
        return Distorted(images, batch.labels, batch.theta)
