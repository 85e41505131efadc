"""An epoch of images: as users read them, from files by a DataLoader, and as stnkit does, from the packed file."""

import multiprocessing
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

import stnkit
from stnkit.experiments.data.data_module import DistortedData
from stnkit.experiments.data.loaders import TrainLoader

BATCH, PROCESSES = 64, 2


class Files(Dataset[tuple[Tensor, int]]):
    """Image files in class folders, decoded when they are asked for.

    Args:
        root: of the class folders.
    """

    def __init__(self, root: Path) -> None:
        folders = sorted(folder for folder in root.iterdir() if folder.is_dir())
        self.files = [(file, label) for label, folder in enumerate(folders) for file in sorted(folder.iterdir())]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        path, label = self.files[index]
        with Image.open(path) as image:
            pixels = np.array(image.convert("RGB"))
        return torch.from_numpy(pixels).permute(2, 0, 1).float() / 255, label


def by_data_loader(root: Path) -> tuple[float, int]:
    """Seconds and images of an epoch of a DataLoader with two workers.

    Args:
        root: of the tree.
    """
    loader = DataLoader(Files(root / "train"), BATCH, shuffle=True, num_workers=PROCESSES)
    began = time.perf_counter()
    n = sum(len(images) for images, _ in loader)
    return time.perf_counter() - began, n


class Batches:
    """Training batches as stnkit makes them.

    Args:
        dataset: gives the splits.
        distortion: name of the distortion.
        in_memory: copy all images into memory first.
    """

    def __init__(self, dataset: stnkit.Dataset, distortion: str, in_memory: bool = False) -> None:
        built = stnkit.build("distortion", distortion, image_shape=dataset.image_shape)
        self._data = DistortedData(dataset, built, BATCH, seed=0)
        images, labels = self._data.split("train")
        if in_memory:
            images = images.clone()
        self._loader = TrainLoader(images, labels, built, BATCH, seed=0, epoch=lambda: 0)
        self._batches = iter(self._loader)

    def batch(self) -> Tensor:
        """The next batch, read, converted and distorted."""
        try:
            drawn = next(self._batches)
        except StopIteration:
            self._batches = iter(self._loader)
            drawn = next(self._batches)
        return self._data.on_after_batch_transfer(drawn, 0).images

    def epoch(self) -> tuple[float, int]:
        """Seconds and images of an epoch."""
        began = time.perf_counter()
        n = sum(len(self._data.on_after_batch_transfer(drawn, 0).images) for drawn in self._loader)
        return time.perf_counter() - began, n


def decoding_rate(root: Path) -> float:
    """Images per second that two processes of Pillow decode, and do nothing else with.

    Args:
        root: of the tree.
    """
    files = [str(file) for split in ("train", "validation", "test") for file, _ in Files(root / split).files]
    with multiprocessing.get_context("spawn").Pool(PROCESSES, _warm_up) as pool:
        pool.map(_decode, files[: 10 * PROCESSES], chunksize=1)
        began = time.perf_counter()
        n = sum(pool.imap_unordered(_decode, files, chunksize=64))
        return n / (time.perf_counter() - began)


def _warm_up() -> None:
    Image.init()


def _decode(path: str) -> int:
    with Image.open(path) as image:
        np.asarray(image.convert("RGB"))
    return 1
