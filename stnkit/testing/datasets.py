"""The checks of `Dataset`. They do not apply to a dataset whose files are missing."""

import itertools
import typing

import torch
from torch import Tensor

from stnkit.datasets import Dataset, Split
from stnkit.errors import DataError, InputError
from stnkit.split_form import fault_of_form
from stnkit.testing import round_trips
from stnkit.testing.assertions import CheckFailed, NotApplicable, NotBuilt, finite, require
from stnkit.testing.component_under_test import ComponentUnderTest
from stnkit.testing.inputs import seed_generators

SPLITS: tuple[Split, ...] = typing.get_args(Split)
# Fraction of the images of a split that may be in another by chance: simple drawings repeat.
COINCIDENCES = 0.001


def construction(under_test: ComponentUnderTest) -> None:
    """The constructor works with the options, and sets `n_classes` (0 without labels) and `image_shape` (C, *size)."""
    try:
        dataset: Dataset = under_test.built()
    except NotBuilt as reason:
        raise CheckFailed(str(reason)) from reason
    n_classes, shape = getattr(dataset, "n_classes", None), getattr(dataset, "image_shape", None)
    require(
        type(n_classes) is int and n_classes >= 0,
        f"n_classes: expected a whole number of at least 0, got {n_classes!r}",
    )
    whole = isinstance(shape, tuple) and len(shape) in (3, 4) and all(type(n) is int and n >= 1 for n in shape)
    require(whole, f"image_shape: expected a tuple of whole numbers, (C, H, W) or (C, D, H, W), got {shape!r}")


def class_names(under_test: ComponentUnderTest) -> None:
    """`class_names` is None or a tuple of one text for each class, by label."""
    dataset: Dataset = under_test.built()
    names = dataset.class_names
    if names is not None:
        texts = isinstance(names, tuple) and all(isinstance(name, str) for name in names)
        require(texts, f"class_names: expected a tuple of texts or None, got {names!r}")
        n = dataset.n_classes
        require(len(names) == n, f"class_names: expected one name for each of the {n} classes, got {len(names)}")


def pair(under_test: ComponentUnderTest) -> None:
    """`pair` is True or False; a pair has an even number of channels, first those of the moving image."""
    dataset: Dataset = under_test.built()
    require(isinstance(dataset.pair, bool), f"pair: expected True or False, got {dataset.pair!r}")
    channels = dataset.image_shape[0]
    require(not dataset.pair or channels % 2 == 0, f"pairs: expected an even number of channels, got {channels}")


def config(under_test: ComponentUnderTest) -> None:
    """Its options pass through a Hydra config unchanged: it can be selected and set on the command line."""
    round_trips.through_config(under_test)


def form(under_test: ComponentUnderTest) -> None:
    """A split is a pair of dense tensors, images and targets, that require no gradient."""
    for name, given in _given(under_test).items():
        if fault := fault_of_form(given):
            raise CheckFailed(f"{name}: {fault}")


def shapes(under_test: ComponentUnderTest) -> None:
    """Each of train, validation and test has images (N, *image_shape), at least one, and N targets of one shape."""
    dataset: Dataset = under_test.built()
    of_a_target: dict[Split, tuple[int, ...]] = {}
    for name, (images, targets) in _splits(under_test).items():
        require(targets.ndim > 0, f"the targets of {name}: expected one for each image, got a single number")
        expected = (len(targets), *dataset.image_shape)
        shape = tuple(images.shape)
        require(shape == expected, f"the images of {name}: expected shape {expected}, got {shape}")
        require(len(targets) > 0, f"{name}: expected at least one image, got none")
        of_a_target[name] = tuple(targets.shape[1:])
    given = ", ".join(f"{shape} in {name}" for name, shape in of_a_target.items())
    require(len({*of_a_target.values()}) == 1, f"targets: expected one shape in all splits, got {given}")


def target_shape(under_test: ComponentUnderTest) -> None:
    """`target_shape` is None, or the shape of the target of every image, () for a number."""
    dataset: Dataset = under_test.built()
    declared = dataset.target_shape
    if declared is None:
        return
    whole = isinstance(declared, tuple) and all(type(n) is int and n >= 0 for n in declared)
    require(whole, f"target_shape: expected a tuple of whole numbers or None, got {declared!r}")
    for name, (_, targets) in _splits(under_test).items():
        shape = tuple(targets.shape[1:])
        require(shape == declared, f"the targets of {name}: expected the target_shape {declared}, got {shape}")


def dtypes(under_test: ComponentUnderTest) -> None:
    """Images are uint8, 0 … 255, or floating-point, labels int64, all on the CPU and of one dtype in all splits."""
    seen: dict[str, set[torch.dtype]] = {"images": set(), "targets": set()}
    for name, (images, targets) in _splits(under_test).items():
        for content, tensor in (("images", images), ("targets", targets)):
            given = f"the {content} of {name}"
            require(tensor.device.type == "cpu", f"{given}: expected the CPU, got {tensor.device}")
            seen[content].add(tensor.dtype)
        pixels = images.dtype == torch.uint8 or images.is_floating_point()
        require(pixels, f"the images of {name}: expected torch.uint8 or a floating-point type, got {images.dtype}")
        narrow = _are_labels(targets) and targets.dtype != torch.int64
        require(not narrow, f"the labels of {name}: expected torch.int64, got {targets.dtype}")
    for content, dtypes in seen.items():
        given = " and ".join(sorted(map(str, dtypes)))
        require(len(dtypes) == 1, f"{content}: expected one dtype in all splits, got {given}")


def finite_values(under_test: ComponentUnderTest) -> None:
    """Floating-point images and targets are finite."""
    for name, split in _splits(under_test).items():
        for content, tensor in zip(("images", "targets"), split, strict=True):
            if tensor.is_floating_point():
                finite(tensor, f"the {content} of {name} must be finite")


def labels_in_range(under_test: ComponentUnderTest) -> None:
    """Labels, whole numbers of shape (N,), are 0 … n_classes − 1, and the training split has every class."""
    dataset: Dataset = under_test.built()
    splits = _splits(under_test)
    if not _are_labels(splits["train"][1]):
        raise NotApplicable("its targets are no labels")
    for name, (_, labels) in splits.items():
        low, high = int(labels.min()), int(labels.max())
        inside = 0 <= low <= high < dataset.n_classes
        require(inside, f"the labels of {name}: expected 0 to {dataset.n_classes - 1}, got {low} to {high}")
    seen = len(set(splits["train"][1].tolist()))
    require(seen == dataset.n_classes, f"the training split: expected all {dataset.n_classes} classes, got {seen}")


def disjoint_splits(under_test: ComponentUnderTest) -> None:
    """No more than one in a thousand images of a split is also in another, byte for byte and with its target.

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
            require(_same(again[0], images) and _same(again[1], labels), f"{name} must be the same at every call")


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
    class_names,
    pair,
    config,
    form,
    shapes,
    target_shape,
    dtypes,
    finite_values,
    labels_in_range,
    disjoint_splits,
    determinism,
    unknown_split,
)


def _splits(under_test: ComponentUnderTest) -> dict[Split, tuple[Tensor, Tensor]]:
    """All splits; the checks of what is in them do not apply where they have no such form, which `form` tells."""
    given = _given(under_test)
    if any(fault_of_form(split) for split in given.values()):
        raise NotApplicable("its splits are no pairs of dense tensors without gradient")
    return typing.cast(dict[Split, tuple[Tensor, Tensor]], given)


def _given(under_test: ComponentUnderTest) -> dict[Split, object]:
    """The splits as the dataset gives them, read once for all checks."""
    if "splits" not in under_test.cached:
        dataset: Dataset = under_test.built()
        try:
            under_test.cached["splits"] = {name: dataset.split(name) for name in SPLITS}
        except DataError as error:
            raise NotApplicable(f"its data is not here: {error}") from error
    return typing.cast(dict[Split, object], under_test.cached["splits"])


def _same(first: Tensor, second: Tensor) -> bool:
    """True for equal tensors; a NaN, which is the matter of another check, is equal to itself."""
    if first.is_floating_point() and first.shape == second.shape and first.dtype == second.dtype:
        return torch.allclose(first, second, rtol=0, atol=0, equal_nan=True)
    return torch.equal(first, second)


def _are_labels(targets: Tensor) -> bool:
    whole = not (targets.is_floating_point() or targets.is_complex() or targets.dtype == torch.bool)
    return whole and targets.ndim == 1


def _fingerprints(images: Tensor, targets: Tensor) -> set[tuple[int, int]]:
    """Hashes of the images that are not of one color, with those of their targets; a row at a time, if mapped."""
    return {
        (_hash(image), _hash(target))
        for image, target in zip(images, targets, strict=True)
        if not bool((image == image.flatten()[0]).all())
    }


def _hash(value: Tensor) -> int:
    return hash(value.contiguous().view(-1).view(torch.uint8).numpy().tobytes())
