"""The Lightning data module: a dataset under a distortion, batch by batch on the training device."""

from typing import Any, get_args

import lightning
import torch
from torch import Tensor

from stnkit.datasets import Dataset, Split
from stnkit.distortions import Distortion
from stnkit.errors import DataError, InputError
from stnkit.experiments.data.augmentation import Augmentation
from stnkit.experiments.data.checks import are_labels, check_labels, checked_split
from stnkit.experiments.data.distorted import check_finite, distorted_images, drawn_theta
from stnkit.experiments.data.fixed import FixedLoader
from stnkit.experiments.data.loaders import Distorted, Drawn, Shard, TrainLoader
from stnkit.experiments.data.rows import as_float
from stnkit.experiments.data.seeds import derived_seed, generator
from stnkit.objectives import Objective


class DistortedData(lightning.LightningDataModule):
    """A dataset under a distortion: fresh draws in every training epoch, fixed draws for validation and test.

    Several processes draw the same batches, and each takes its shard of every batch.

    Args:
        dataset: images with targets.
        distortion: draws θ and warps.
        batch_size: of a training batch, over all processes.
        seed: of the run; only the training draws depend on it.
        dtype: of the distorted images; they are distorted in float32.
        augmentation: of the training images.

    Attributes:
        distorts_twice: True for training batches that hold every original under a second draw of the distortion too.
    """

    def __init__(
        self,
        dataset: Dataset,
        distortion: Distortion,
        batch_size: int,
        seed: int,
        dtype: torch.dtype = torch.float32,
        augmentation: Augmentation | None = None,
    ) -> None:
        super().__init__()
        self.dataset = dataset
        self.distortion = distortion
        self.batch_size = batch_size
        self.seed = seed
        self.dtype = dtype
        self.augmentation = augmentation
        self.distorts_twice = False
        self._seen = False
        self._splits: dict[Split, tuple[Tensor, Tensor]] = {}
        self._fixed: dict[Split, FixedLoader] = {}

    @property
    def in_shape(self) -> tuple[int, ...]:
        """(C, *size) of a distorted image."""
        return (self.dataset.image_shape[0], *self.distortion.out_size)

    def split(self, name: Split) -> tuple[Tensor, Tensor]:
        """The undistorted images and the targets of a split, asked for once; perhaps mapped from a file."""
        if name not in self._splits:
            self._splits[name] = checked_split(self.dataset, name)
        return self._splits[name]

    def check_targets(self, name: Split, objective: Objective, called: str) -> None:
        """Raise a DataError if the targets of a split are not those that an objective needs.

        Args:
            name: of the split.
            objective: of the run.
            called: name of the objective, for messages.
        """
        targets = self.split(name)[1]
        if "labels" in objective.needs:
            check_labels(self.dataset, name, targets, called)
        try:
            objective.check_targets(targets)
        except InputError as error:
            raise DataError(f"{self.dataset.row_origin(name, 'targets', 0)[0]}: {error}") from error

    def has_labels(self, name: Split) -> bool:
        """True if the targets of a split are labels.

        Args:
            name: of the split.
        """
        return self.dataset.n_classes > 0 and are_labels(self.split(name)[1])

    @property
    def steps_per_epoch(self) -> int:
        """Number of training batches."""
        return -(-len(self.split("train")[0]) // self.batch_size)

    @property
    def smallest_batch(self) -> int:
        """Number of images in the last training batch of an epoch."""
        return len(self.split("train")[0]) % self.batch_size or self.batch_size

    @property
    def shard(self) -> Shard:
        """The share of this process in every batch."""
        return Shard(self.trainer.global_rank, self.trainer.world_size) if self.trainer else Shard()

    def prepare_data(self) -> None:
        # Runs in one process before the others read, so that a download happens once.
        for name in get_args(Split):
            self.split(name)

    def train_dataloader(self) -> TrainLoader:
        images, labels = self.split("train")
        trainer = self.trainer
        assert trainer is not None
        last, devices = self.smallest_batch, trainer.world_size
        if last < devices:
            raise InputError(
                f"training.batch_size: expected at least {devices} images in the last batch for "
                f"training.devices={devices}, got {last} of the {len(images)} images"
            )
        return TrainLoader(
            images, labels, self.distortion, self.batch_size, self.seed, lambda: trainer.current_epoch, self.shard
        )

    def val_dataloader(self) -> FixedLoader:
        return self.fixed("validation")

    def test_dataloader(self) -> FixedLoader:
        return self.fixed("test")

    def fixed(self, split: Split) -> FixedLoader:
        """The distorted images of the validation or test split, computed when they are read."""
        if split not in self._fixed:
            images, labels = self.split(split)
            device = self.trainer.strategy.root_device if self.trainer else torch.device("cpu")
            self._fixed[split] = FixedLoader(
                images, labels, self.distortion, self.batch_size, split, device, self.shard, self.dtype
            )
        return self._fixed[split]

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Distorted:
        if not isinstance(batch, Drawn):
            return Distorted(*batch)
        own = batch.own
        images = self._distorted(batch, batch.theta, batch.seed)
        again = None
        if self.distorts_twice:
            # Drawn for the whole batch, as the first ones are.
            seed, (first, n) = derived_seed(batch.seed, "again"), batch.held
            theta = drawn_theta(self.distortion, n, generator(seed, "theta"))[first : first + len(batch.theta)]
            again = self._distorted(batch, theta.to(batch.theta.device), seed)[own]
        return Distorted(images[own], batch.labels[own], batch.theta[own], batch.weight, batch.place, again)

    def _distorted(self, batch: Drawn, theta: Tensor, seed: int) -> Tensor:
        """The images of a batch under a draw of the distortion."""
        originals = as_float(batch.images)
        if self.augmentation is None:
            images = distorted_images(self.distortion, originals, theta, generator(seed, device=originals.device))
        else:
            images = self.augmentation.distorted(self.distortion, originals, theta, seed, batch.held)
        if not self._seen:  # the first batch alone, since this waits for the device
            check_finite(self.distortion, images)
            self._seen = True
        return images.to(self.dtype)
