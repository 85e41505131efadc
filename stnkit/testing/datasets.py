"""The checks of `Dataset`. They do not apply to a dataset whose files are missing."""

import itertools
import typing

import torch
from torch import Tensor

from stnkit.datasets import Dataset, Split
from stnkit.errors import DataError, InputError
from stnkit.testing import round_trips
from stnkit.testing.assertions import CheckFailed, NotApplicable, NotBuilt, require
from stnkit.testing.component_under_test import ComponentUnderTest
from stnkit.testing.inputs import seed_generators

SPLITS: tuple[Split, ...] = typing.get_args(Split)
# Fraction of the images of a split that may be in another by chance: simple drawings repeat.
COINCIDENCES = 0.001


def construction(under_test: ComponentUnderTest) -> None:
    """The constructor works with the options, and sets `n_classes` (at least 1) and `image_shape` (C, *size)."""
    try:
        dataset: Dataset = under_test.built()
    except NotBuilt as reason:
        raise CheckFailed(str(reason)) from reason
    n_classes, shape = getattr(dataset, "n_classes", None), getattr(dataset, "image_shape", None)
    require(
        type(n_classes) is int and n_classes >= 1,
        f"n_classes: expected a whole number of at least 1, got {n_classes!r}",
    )
    whole = isinstance(shape, tuple) and len(shape) in (3, 4) and all(type(n) is int and n >= 1 for n in shape)
    require(whole, f"image_shape: expected a tuple of whole numbers, (C, H, W) or (C, D, H, W), got {shape!r}")


def config(under_test: ComponentUnderTest) -> None:
    """Its options pass through a Hydra config unchanged: it can be selected and set on the command line."""
    round_trips.through_config(under_test)


def shapes(under_test: ComponentUnderTest) -> None:
    """Each of train, validation and test has images (N, *image_shape), at least one, and labels (N,)."""
    dataset: Dataset = under_test.built()
    for name, (images, labels) in _splits(under_test).items():
        expected = (len(labels), *dataset.image_shape)
        shape = tuple(images.shape)
        require(shape == expected, f"the images of {name}: expected shape {expected}, got {shape}")
        require(labels.ndim == 1, f"the labels of {name}: expected shape (N,), got {tuple(labels.shape)}")
        require(len(labels) > 0, f"{name}: expected at least one image, got none")


def dtypes(under_test: ComponentUnderTest) -> None:
    """Images are uint8, 0 … 255, and labels int64, both on the CPU."""
    for name, (images, labels) in _splits(under_test).items():
        for content, tensor, dtype in (("images", images, torch.uint8), ("labels", labels, torch.int64)):
            right = tensor.dtype == dtype and tensor.device.type == "cpu"
            given = f"the {content} of {name}"
            require(right, f"{given}: expected {dtype} on the CPU, got {tensor.dtype} on {tensor.device}")


def labels_in_range(under_test: ComponentUnderTest) -> None:
    """Labels are 0 … n_classes − 1, and the training split has every class."""
    dataset: Dataset = under_test.built()
    for name, (_, labels) in _splits(under_test).items():
        low, high = int(labels.min()), int(labels.max())
        inside = 0 <= low <= high < dataset.n_classes
        require(inside, f"the labels of {name}: expected 0 to {dataset.n_classes - 1}, got {low} to {high}")
    seen = len(set(_splits(under_test)["train"][1].tolist()))
    require(seen == dataset.n_classes, f"the training split: expected all {dataset.n_classes} classes, got {seen}")


def disjoint_splits(under_test: ComponentUnderTest) -> None:
    """No more than one in a thousand images of a split is also in another, byte for byte and with its label.

    Images of one color do not count, and neither do repeats within a split.
    """
    seen = {name: _fingerprints(*split) for name, split in _splits(under_test).items()}
    for first, second in itertools.combinations(SPLITS, 2):
        common = len(seen[first] & seen[second])
        allowed = COINCIDENCES * min(len(seen[first]), len(seen[second]))
        require(common <= allowed, f"{first} and {second} must not overlap: they have {common} images in common")


def determinism(under_test: ComponentUnderTest) -> None:
    """A split is the same at every call, of this object or another, in any random state."""
    for dataset in (under_test.built(), under_test.built()):
        for name, (images, labels) in _splits(under_test).items():
            seed_generators(len(name))
            again = dataset.split(name)
            same = torch.equal(again[0], images) and torch.equal(again[1], labels)
            require(same, f"{name} must be the same at every call")


def unknown_split(under_test: ComponentUnderTest) -> None:
    """A name that is none of the splits is refused by an InputError."""
    dataset: Dataset = under_test.built()
    try:
        dataset.split("holdout")  # type: ignore[arg-type]
    except InputError:
        return
    except DataError as error:
        raise NotApplicable(f"its data is not here: {error}") from error
    raise CheckFailed("a split by another name than train, validation or test must be refused by an InputError")


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


def _splits(under_test: ComponentUnderTest) -> dict[Split, tuple[Tensor, Tensor]]:
    """All splits, read once for all checks."""
    if "splits" not in under_test.cached:
        dataset: Dataset = under_test.built()
        try:
            under_test.cached["splits"] = {name: dataset.split(name) for name in SPLITS}
        except DataError as error:
            raise NotApplicable(f"its data is not here: {error}") from error
    return typing.cast(dict[Split, tuple[Tensor, Tensor]], under_test.cached["splits"])


def _fingerprints(images: Tensor, labels: Tensor) -> set[tuple[int, int]]:
    flat = images.flatten(start_dim=1).contiguous()
    one_color = (flat == flat[:, :1]).all(dim=1).tolist()
    rows = zip(flat.cpu().numpy(), labels.tolist(), one_color, strict=True)
    return {(hash(row.tobytes()), label) for row, label, ignored in rows if not ignored}
