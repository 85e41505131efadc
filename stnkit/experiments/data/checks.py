"""Checks of a split that a dataset has given: what it holds is said in one sentence, not by a kernel of PyTorch."""

from typing import get_args

import torch
from torch import Tensor

from stnkit.datasets import Dataset, Split
from stnkit.errors import DataError, InputError, one_line
from stnkit.experiments.data.rows import Rows
from stnkit.split_form import fault_of_form

# Bytes of floating-point images that are checked at once.
_CHUNK_BYTES = 64 * 2**20


def checked_split(dataset: Dataset, name: Split) -> tuple[Tensor, Tensor]:
    """The images and the targets of a split, labels as int64.

    Of bytes nothing is read, since every byte is a valid pixel. Floating-point images are read once.

    Args:
        dataset: that has the split.
        name: of the split.

    Raises:
        DataError: when it cannot be read, is no pair of dense tensors, has no image, a shape that is not the dataset's,
            a label that is no class or a value that is not finite, or images are neither uint8 nor floating-point.
    """
    label = _where(dataset, name)
    try:
        given = dataset.split(name)
    except OSError as error:
        raise DataError(f"{label}: {one_line(error)}") from error
    if fault := fault_of_form(given):
        raise DataError(f"{label}: {fault}")
    images, targets = given
    shape, expected = tuple(images.shape), ("N", *dataset.image_shape)
    if shape[1:] != tuple(dataset.image_shape):
        raise DataError(f"{label}: expected images of shape ({', '.join(map(str, expected))}), got {shape}")
    if not len(images):
        raise DataError(f"{label}: expected at least one image, got none")
    if images.dtype != torch.uint8 and not images.is_floating_point():
        raise DataError(
            f"{label}: expected images in uint8, from 0 to 255, or in a floating-point type, got {images.dtype}"
        )
    if targets.shape[:1] != images.shape[:1]:
        raise DataError(
            f"{label}: expected {len(images)} targets, one for each image, got shape {tuple(targets.shape)}"
        )
    if images.is_floating_point() and (broken := _first_not_finite(images)) is not None:
        origin, row = dataset.row_origin(name, "images", broken)
        raise DataError(f"{origin}: expected finite images, got NaN or infinity in image {row}")
    if targets.is_floating_point() and (broken := _first_not_finite(targets)) is not None:
        origin, row = dataset.row_origin(name, "targets", broken)
        raise DataError(f"{origin}: expected finite targets, got NaN or infinity in that of image {row}")
    if are_labels(targets):
        targets = targets.long()
        low, high = int(targets.min()), int(targets.max())
        if low < 0 or high >= dataset.n_classes:
            raise DataError(f"{label}: expected labels from 0 to {dataset.n_classes - 1}, got {low} to {high}")
    return images, targets


def are_labels(targets: Tensor) -> bool:
    """True for whole numbers, one for each image.

    Args:
        targets: of a split.
    """
    whole = not (targets.is_floating_point() or targets.is_complex() or targets.dtype == torch.bool)
    return whole and targets.ndim == 1


def check_labels(dataset: Dataset, name: Split, targets: Tensor, objective: str) -> None:
    """Raise a DataError if the targets of a split are no labels, which the objective needs.

    Args:
        dataset: that has the split.
        name: of the split.
        targets: of the split, checked.
        objective: its name.
    """
    if not are_labels(targets):
        origin = dataset.row_origin(name, "targets", 0)[0] if len(targets) else _where(dataset, name)
        raise DataError(
            f"{origin}: expected labels for {objective}, whole numbers of shape (N,), "
            f"got {targets.dtype} of shape {tuple(targets.shape)}"
        )


def check_classes(dataset: Dataset, objective: str) -> None:
    """Raise an InputError if a dataset has no classes or more than a label for an image, and say of its targets why.

    Args:
        dataset: built; its splits are read only if it has no classes.
        objective: name of the objective, which needs labels.
    """
    if dataset.target_shape:
        raise InputError(
            f"objective={objective}: expected labels, one for each image, got "
            f"{'none' if 0 in dataset.target_shape else f'targets of shape {list(dataset.target_shape)}'} "
            f"from {type(dataset).__name__}"
        )
    if dataset.n_classes >= 1:
        return
    for name in get_args(Split):
        given = dataset.split(name)
        if isinstance(given, tuple | list) and len(given) == 2 and isinstance(given[1], Tensor):
            check_labels(dataset, name, given[1], objective)
    raise DataError(f"{type(dataset).__name__}.n_classes: expected at least 1 for {objective}, got 0")


def checked_class_names(dataset: Dataset) -> tuple[str, ...] | None:
    """The names of the classes by label, or None where the dataset has none.

    Args:
        dataset: built.

    Raises:
        DataError: when there is not one name for each class.
    """
    names, label = dataset.class_names, f"{type(dataset).__name__}.class_names"
    if names is None:
        return None
    if not isinstance(names, tuple | list) or not all(isinstance(name, str) for name in names):
        raise DataError(f"{label}: expected a tuple of texts or None, got {names!r}")
    if len(names) != dataset.n_classes:
        raise DataError(f"{label}: expected one name for each of the {dataset.n_classes} classes, got {len(names)}")
    return tuple(names)


def _where(dataset: Dataset, name: Split) -> str:
    return f"{type(dataset).__name__}.split({name!r})"


def _first_not_finite(values: Tensor) -> int | None:
    """The first row with a value that is not finite."""
    rows = Rows(values)
    step = max(1, _CHUNK_BYTES // max(1, values[:1].numel() * values.element_size()))
    for start in range(0, len(rows), step):
        finite = (
            torch.isfinite(rows.chunk(start, start + step)).reshape(len(values[start : start + step]), -1).all(dim=1)
        )
        if not bool(finite.all()):
            return start + int((~finite).nonzero()[0])
    return None
