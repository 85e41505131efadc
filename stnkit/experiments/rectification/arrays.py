"""Arrays of images: each is rectified, and the results make an array of the same axes."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from stnkit.errors import DataError
from stnkit.experiments.rectification.inputs import Input
from stnkit.experiments.rectification.names import names_of_results
from stnkit.experiments.rectification.results import Results
from stnkit.experiments.rectification.table import Row
from stnkit.files.arrays import channels_first, read_array
from stnkit.files.atomic import all_or_none, whole_file

BATCH = 32


def rectify_array(results: Results, given: Input) -> list[Row]:
    """Rectify the images of a `.npy` file, which is read as the dataset `arrays` reads it.

    Args:
        results: makes the rows.
        given: the file.

    Raises:
        StnkitError: when it holds no images, or others than those of the training.
        OSError: when the results cannot be written.
    """
    array = read_array(given.path, "images", alone=True)
    images = channels_first(array, results.rectifier.array_layout, given.path)
    if not len(images):
        raise DataError(f"{given.path}: expected images, got an array of shape {array.shape}")
    names = names_of_results(given.name, len(results.rectifier.transformers))
    rows: list[Row] = []
    warped: dict[str, list[np.ndarray]] = {name: [] for name in names}

    def note(planes: Tensor, name: str) -> str:
        warped[name].append(planes.numpy())
        return name

    with all_or_none(results.output) as written:
        for start in range(0, len(images), BATCH):
            batch = [torch.from_numpy(np.array(image)) for image in images[start : start + BATCH]]
            _check_finite(batch, start, given)
            views = [results.rectifier.view.of_tensor(image) for image in batch]
            found = results.rectifier.locate(torch.stack([view for view, _ in views]))
            for number, (image, (_, frame), located) in enumerate(zip(batch, views, found, strict=True), start=start):
                of_one = results.of_image(given.name, image, frame, located, note, index=number)
                written += [name for row in of_one for name in row.written]
                rows += of_one
        for name, made in warped.items():
            stacked = np.stack(made)
            if array.ndim == images.ndim - 1:
                stacked = stacked[:, 0]
            elif array.shape != images.shape:  # channels last
                stacked = np.moveaxis(stacked, 1, -1)
            with whole_file(results.output / name) as part, part.open("wb") as file:
                np.save(file, stacked)
    return rows


def _check_finite(images: Sequence[Tensor], start: int, given: Input) -> None:
    """Refuse what a dataset refuses: θ of such an image is NaN, and its result is empty."""
    for number, image in enumerate(images, start=start):
        if image.is_floating_point() and not image.isfinite().all():
            raise DataError(f"{given.path}: expected finite images, got NaN or infinity in image {number}")
