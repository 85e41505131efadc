"""The checks of `Localizer`, for images of several sizes."""

import functools
import itertools
import math
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from stnkit.localizers import Localizer
from stnkit.testing import image_modules, round_trips
from stnkit.testing.assertions import CheckFailed, NotApplicable, close
from stnkit.testing.component_under_test import ComponentUnderTest
from stnkit.testing.contracts import final_methods
from stnkit.testing.image_shapes import images_of
from stnkit.testing.inputs import uniform
from stnkit.testing.references import Field, Linear, Moves
from stnkit.transformer import SpatialTransformer

# Of θ from the identity, with a head whose weights are not zero: as many half images.
MOVE = 0.3


def construction(under_test: ComponentUnderTest) -> None:
    """The constructor works with the options, for images of at least one of the typical shapes."""
    image_modules.check_construction(under_test)


def config(under_test: ComponentUnderTest) -> None:
    """Its options pass through a Hydra config unchanged: it can be selected and set on the command line."""
    round_trips.through_config(under_test)


def unchanged_arguments(under_test: ComponentUnderTest) -> None:
    """Images are not changed in place: the sampler reads them after the localizer."""
    image_modules.check_unchanged(under_test, _features)


def input_sizes(under_test: ComponentUnderTest) -> None:
    """Images of the shape that it was built for give (B, n_features), or a map of that many channels, finite."""
    _check_width(under_test, under_test.image_shapes().main)


def dimensions(under_test: ComponentUnderTest) -> None:
    """Volumes, (C, D, H, W), give features of the same form, if it takes both them and images."""
    _check_width(under_test, under_test.image_shapes().others)


def map_position(under_test: ComponentUnderTest) -> None:
    """A map of features lies as the image does: what is in a corner of it depends most on that corner of the image.

    It fails if another corner has more than twice the influence: a map that sees the whole image everywhere passes.
    """
    for shape, localizer in under_test.for_images():
        if not localizer.feature_map:
            raise NotApplicable("its features are no map")
        influence = _influence_of_corners(localizer.eval(), shape)
        corner = int((influence.diagonal() / influence.amax(dim=1)).argmin())
        others = influence[corner] > 2 * influence[corner, corner]
        ndim = len(shape) - 1
        if others.any():
            here, there = (format(n, f"0{ndim}b") for n in (corner, int(influence[corner].argmax())))
            raise CheckFailed(
                f"a map of features must lie as the image of {list(shape)} does: corner {here} of the map depends "
                f"on corner {there} of the image, 0 for the low and 1 for the high end of each axis"
            )


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
    """With a head whose weights are not zero, the gradient of a transformer's loss reaches every parameter.

    No other tensor is learned: each is registered.
    """
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
    unchanged_arguments,
    input_sizes,
    dimensions,
    map_position,
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
        image_modules.check_width(localizer, _vectors, shape, localizer.n_features)


def _influence_of_corners(localizer: Localizer, shape: tuple[int, ...]) -> Float[Tensor, "map image"]:
    """The mean size of the gradient in each corner of the image of what the map has in each of its corners."""
    images = images_of(shape, batch=4).requires_grad_()
    features = localizer(images)
    # Signs at random, or what a normalization subtracts would cancel.
    signs = uniform(*features.shape, seed=3).to(features).sign()
    rows = []
    for corner in _corners(features):
        (gradient,) = torch.autograd.grad((features * signs)[corner].sum(), images, retain_graph=True)
        rows.append(torch.stack([gradient[place].abs().mean() for place in _corners(images)]))
    return torch.stack(rows).clamp_min(torch.finfo(torch.float32).tiny)


def _corners(images: Tensor) -> list[tuple[slice, ...]]:
    """The parts of a third of each axis, at least a cell, at its low and its high end."""
    sides = [max(1, n // 3) for n in images.shape[2:]]
    ends = [(slice(None, side), slice(-side, None)) for side in sides]
    return [(slice(None), slice(None), *place) for place in itertools.product(*ends)]


def _features(localizer: nn.Module, images: Tensor) -> Tensor:
    features: Tensor = localizer(images)
    return features


def _vectors(localizer: nn.Module, images: Tensor) -> Tensor:
    features = _features(localizer, images)
    return features.flatten(2).mean(dim=2) if localizer.feature_map else features


def _transformer(localizer: Localizer, shape: tuple[int, ...]) -> SpatialTransformer:
    family = Field(len(shape) - 1) if localizer.feature_map else Moves(len(shape) - 1)
    return SpatialTransformer(localizer, family, Linear())


def _loss(under_test: ComponentUnderTest, shape: tuple[int, ...]) -> tuple[nn.Module, Callable[[], Tensor]]:
    _, localizer = next(under_test.for_images([shape]))
    transformer, images = _transformer(localizer, shape), images_of(shape, batch=4)
    with torch.no_grad():
        # θ then lies about MOVE from the identity, whatever the size of the features: a grid that has left the image
        # gives no gradient.
        size = float(localizer(images).double().norm(dim=1).mean())
        transformer.head.weight.normal_(std=MOVE / size if 0 < size < math.inf else MOVE)
    return transformer, lambda: transformer(images).square().sum()
