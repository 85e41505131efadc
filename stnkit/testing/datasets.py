"""What every dataset has to do: the checks of `Dataset`. One whose files are not here is not checked, nor failed."""

import itertools
import typing

import torch
from torch import Tensor

from stnkit.datasets import Dataset, Split
from stnkit.errors import DataError, InputError
from stnkit.testing import round_trips
from stnkit.testing.assertions import CheckFailed, NotApplicable, require
from stnkit.testing.component_under_test import NotBuilt, Subject

SPLITS: tuple[Split, ...] = typing.get_args(Split)
# Of the images of a split, so many may stand in another by chance: simple drawings repeat.
COINCIDENCES = 0.001


def construction(subject: Subject) -> None:
    """The constructor works with the options, and sets `n_classes` (at least 1) and `image_shape` (C, *size)."""
    try:
        dataset: Dataset = subject.built()
    except NotBuilt as reason:
        raise CheckFailed(str(reason)) from reason
    n_classes, shape = getattr(dataset, "n_classes", None), getattr(dataset, "image_shape", None)
    require(type(n_classes) is int and n_classes >= 1, f"n_classes must be a whole number, but it is {n_classes!r}")
    whole = isinstance(shape, tuple) and len(shape) in (3, 4) and all(type(n) is int and n >= 1 for n in shape)
    require(whole, f"image_shape must be a tuple of whole numbers, (C, H, W) or (C, D, H, W), but it is {shape!r}")


def config(subject: Subject) -> None:
    """Its options pass through a Hydra config unchanged: it can be selected and set on the command line."""
    round_trips.through_config(subject)


def shapes(subject: Subject) -> None:
    """Each of train, validation and test has images (N, *image_shape), at least one, and labels (N,)."""
    dataset: Dataset = subject.built()
    for name, (images, labels) in _splits(subject).items():
        expected = (len(labels), *dataset.image_shape)
        shape = tuple(images.shape)
        require(shape == expected, f"the images of {name} must have shape {expected}, but have {shape}")
        require(labels.ndim == 1, f"the labels of {name} must be a list, but have shape {tuple(labels.shape)}")
        require(len(labels) > 0, f"{name} must have images, but has none")


def dtypes(subject: Subject) -> None:
    """Images are uint8, 0 … 255, and labels int64, both on the CPU."""
    for name, (images, labels) in _splits(subject).items():
        for what, tensor, dtype in (("images", images, torch.uint8), ("labels", labels, torch.int64)):
            right = tensor.dtype == dtype and tensor.device.type == "cpu"
            require(
                right, f"the {what} of {name} must be {dtype} on the CPU, but are {tensor.dtype} on {tensor.device}"
            )


def labels_in_range(subject: Subject) -> None:
    """Labels are 0 … n_classes − 1, and training shows every class."""
    dataset: Dataset = subject.built()
    for name, (_, labels) in _splits(subject).items():
        low, high = int(labels.min()), int(labels.max())
        inside = 0 <= low <= high < dataset.n_classes
        require(inside, f"the labels of {name} must be 0 to {dataset.n_classes - 1}, but go from {low} to {high}")
    seen = len(set(_splits(subject)["train"][1].tolist()))
    require(seen == dataset.n_classes, f"training must show all {dataset.n_classes} classes, but shows {seen}")


def disjoint_splits(subject: Subject) -> None:
    """No image of one split is in another: byte for byte, with its label, more often than once in a thousand.

    Images of one color do not count, nor does what is twice in the same split.
    """
    seen = {name: _fingerprints(*split) for name, split in _splits(subject).items()}
    for first, second in itertools.combinations(SPLITS, 2):
        common = len(seen[first] & seen[second])
        allowed = COINCIDENCES * min(len(seen[first]), len(seen[second]))
        require(common <= allowed, f"{first} and {second} must not overlap, but have {common} images in common")


def determinism(subject: Subject) -> None:
    """A split is the same whenever it is asked for, of this object or another, whatever the random state."""
    for dataset in (subject.built(), subject.built()):
        for name, (images, labels) in _splits(subject).items():
            torch.manual_seed(len(name))
            again = dataset.split(name)
            same = torch.equal(again[0], images) and torch.equal(again[1], labels)
            require(same, f"{name} must be the same whenever it is asked for")


def unknown_split(subject: Subject) -> None:
    """A split that there is not is refused by an InputError."""
    dataset: Dataset = subject.built()
    try:
        dataset.split("holdout")  # type: ignore[arg-type]
    except InputError:
        return
    except DataError as error:
        raise NotApplicable(f"its data is not here: {error}") from error
    raise CheckFailed("a split of another name than train, validation or test must be refused")


CHECKS = (
    construction,
    config,
    shapes,
    dtypes,
    labels_in_range,
    disjoint_splits,
    determinism,
    unknown_split,
)


def _splits(subject: Subject) -> dict[Split, tuple[Tensor, Tensor]]:
    """All splits, read once for all checks."""
    if not subject.kept:
        dataset: Dataset = subject.built()
        try:
            subject.kept.update({name: dataset.split(name) for name in SPLITS})
        except DataError as error:
            raise NotApplicable(f"its data is not here: {error}") from error
    return typing.cast(dict[Split, tuple[Tensor, Tensor]], subject.kept)


def _fingerprints(images: Tensor, labels: Tensor) -> set[tuple[int, int]]:
    flat = images.flatten(start_dim=1).contiguous()
    plain = (flat == flat[:, :1]).all(dim=1).tolist()
    rows = zip(flat.cpu().numpy(), labels.tolist(), plain, strict=True)
    return {(hash(row.tobytes()), label) for row, label, one_color in rows if not one_color}
