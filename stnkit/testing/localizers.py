"""The checks of `Localizer`, for images of several sizes."""

import functools
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from stnkit.localizers import Localizer
from stnkit.testing import image_modules, round_trips
from stnkit.testing.assertions import close
from stnkit.testing.component_under_test import ComponentUnderTest
from stnkit.testing.contracts import final_methods
from stnkit.testing.image_shapes import images_of
from stnkit.testing.references import Linear, Moves
from stnkit.transformer import SpatialTransformer


def construction(under_test: ComponentUnderTest) -> None:
    """The constructor works with the options, for images of at least one of the typical shapes."""
    image_modules.check_construction(under_test)


def config(under_test: ComponentUnderTest) -> None:
    """Its options pass through a Hydra config unchanged: it can be selected and set on the command line."""
    round_trips.through_config(under_test)


def input_sizes(under_test: ComponentUnderTest) -> None:
    """Images of the shape that it was built for give (B, n_features), finite."""
    _check_width(under_test, under_test.image_shapes().main)


def dimensions(under_test: ComponentUnderTest) -> None:
    """Volumes, (C, D, H, W), give (B, n_features), finite, if it takes both them and images."""
    _check_width(under_test, under_test.image_shapes().others)


def too_small_input(under_test: ComponentUnderTest) -> None:
    """Images that are too small are refused by an InputError when it is built, not by a layer when it runs."""
    image_modules.check_too_small(under_test, _features)


def identity_transformer(under_test: ComponentUnderTest) -> None:
    """A new transformer with it is the identity, for noise and for images of one color."""
    for shape, localizer in under_test.for_images():
        transformer = _transformer(localizer, shape).eval()
        for images in (images_of(shape), torch.zeros(2, *shape), torch.ones(2, *shape)):
            found = transformer(images)
            close(found, images, 1e-5, f"a new transformer must leave images of {list(shape)} as they are")


def gradients(under_test: ComponentUnderTest) -> None:
    """With a head whose weights are not zero, the gradient of a transformer's loss reaches every parameter."""
    shapes = under_test.image_shapes().taken
    image_modules.check_gradients(functools.partial(_loss, under_test, shape) for shape in shapes)


def deterministic_in_eval(under_test: ComponentUnderTest) -> None:
    """In eval mode the same images give the same features."""
    image_modules.check_determinism(under_test, _features)


def batch_independence(under_test: ComponentUnderTest) -> None:
    """In eval mode the features of an image do not depend on the others of its batch."""
    image_modules.check_batch_independence(under_test, _features)


def dtype_and_device(under_test: ComponentUnderTest) -> None:
    """All of it moves to a device, and features of float32 images are float32 there."""
    image_modules.check_device(under_test, _features)


def state_dict(under_test: ComponentUnderTest) -> None:
    """Another localizer that loads its state, through a file of plain tensors, gives the same features."""
    image_modules.check_round_trip(under_test, _features, "state_dict")


def pickled(under_test: ComponentUnderTest) -> None:
    """A localizer that was used, pickled and unpickled gives the same features."""
    image_modules.check_round_trip(under_test, _features, "pickle")


def deep_copied(under_test: ComponentUnderTest) -> None:
    """A deep copy of a localizer that was used gives the same features."""
    image_modules.check_round_trip(under_test, _features, "deepcopy")


def compiled(under_test: ComponentUnderTest) -> None:
    """torch.compile(fullgraph=True) gives the same features, with the same gradients."""
    image_modules.check_compiled(under_test, _features)


CHECKS = (
    construction,
    final_methods,
    config,
    input_sizes,
    dimensions,
    too_small_input,
    identity_transformer,
    gradients,
    deterministic_in_eval,
    batch_independence,
    dtype_and_device,
    state_dict,
    pickled,
    deep_copied,
    compiled,
)


def _check_width(under_test: ComponentUnderTest, shapes: Sequence[tuple[int, ...]]) -> None:
    for shape, localizer in under_test.for_images(shapes):
        image_modules.check_width(localizer, _features, shape, localizer.n_features)


def _features(localizer: nn.Module, images: Tensor) -> Tensor:
    features: Tensor = localizer(images)
    return features


def _transformer(localizer: Localizer, shape: tuple[int, ...]) -> SpatialTransformer:
    return SpatialTransformer(localizer, Moves(len(shape) - 1), Linear())


def _loss(under_test: ComponentUnderTest, shape: tuple[int, ...]) -> tuple[nn.Module, Tensor]:
    _, localizer = next(under_test.for_images([shape]))
    transformer = _transformer(localizer, shape)
    with torch.no_grad():
        transformer.head.weight.normal_(std=0.1)
    return transformer, transformer(images_of(shape, batch=4)).square().sum()
