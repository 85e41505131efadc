"""The checks of `Network`, for images of several sizes."""

import functools
from collections.abc import Callable, Sequence

from torch import Tensor, nn

from stnkit.networks import Network
from stnkit.testing import image_modules, round_trips
from stnkit.testing.assertions import close
from stnkit.testing.component_under_test import N_CLASSES, ComponentUnderTest
from stnkit.testing.image_shapes import images_of


def construction(under_test: ComponentUnderTest) -> None:
    """The constructor works with the options, for images of at least one of the typical shapes."""
    image_modules.check_construction(under_test)


def config(under_test: ComponentUnderTest) -> None:
    """Its options pass through a Hydra config unchanged: it can be selected and set on the command line."""
    round_trips.through_config(under_test)


def unchanged_arguments(under_test: ComponentUnderTest) -> None:
    """Images are not changed in place: an objective may read them after the network."""
    image_modules.check_unchanged(under_test, _logits)


def logits(under_test: ComponentUnderTest) -> None:
    """Images of the shape that it was built for give (B, n_classes), finite; or the images, where it `gives_image`."""
    _check_width(under_test, under_test.image_shapes().main)


def dimensions(under_test: ComponentUnderTest) -> None:
    """Volumes, (C, D, H, W), give the same, if it takes both them and images."""
    _check_width(under_test, under_test.image_shapes().others)


def too_small_input(under_test: ComponentUnderTest) -> None:
    """Images that are too small are refused by an InputError when it is built, not by a layer when it runs."""
    image_modules.check_too_small(under_test, _logits)


def gradients(under_test: ComponentUnderTest) -> None:
    """The gradient of a loss reaches every parameter, and the images: a transformer in front of it learns from that.

    Some parameters may begin at 0 and hide others until they move, as those of a transformer's head do. No other tensor
    is learned: each is registered.
    """
    shapes = under_test.image_shapes().taken
    image_modules.check_gradients(functools.partial(_loss, under_test, shape) for shape in shapes)


def deterministic_in_eval(under_test: ComponentUnderTest) -> None:
    """In eval mode the same images give the same logits."""
    image_modules.check_determinism(under_test, _logits)


def batch_independence(under_test: ComponentUnderTest) -> None:
    """In eval mode the logits of an image do not depend on the others of its batch."""
    image_modules.check_batch_independence(under_test, _logits)


def dtype_and_device(under_test: ComponentUnderTest) -> None:
    """All of it moves to a device, and logits of float32 images are float32 there."""
    image_modules.check_device(under_test, _logits)


def state_dict(under_test: ComponentUnderTest) -> None:
    """Another network that loads its state, through a file of plain tensors, gives the same logits."""
    image_modules.check_round_trip(under_test, _logits, "state_dict")


def pickled(under_test: ComponentUnderTest) -> None:
    """A network that was used, pickled and unpickled gives the same logits."""
    image_modules.check_round_trip(under_test, _logits, "pickle")


def deep_copied(under_test: ComponentUnderTest) -> None:
    """A deep copy of a network that was used gives the same logits."""
    image_modules.check_round_trip(under_test, _logits, "deepcopy")


def compiled(under_test: ComponentUnderTest) -> None:
    """torch.compile(fullgraph=True) gives the same logits, with the same gradients."""
    image_modules.check_compiled(under_test, _logits)


CHECKS = (
    construction,
    config,
    unchanged_arguments,
    logits,
    dimensions,
    too_small_input,
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
    width = under_test.options.get("n_classes", N_CLASSES)
    for shape, network in under_test.for_images(shapes):
        if network.gives_image:
            _check_gives_image(network, shape)
        else:
            image_modules.check_width(network, _logits, shape, width)


def _check_gives_image(network: Network, shape: tuple[int, ...]) -> None:
    for batch in (1, 3):
        images = images_of(shape, batch)
        claim = f"gives_image: {batch} images of {list(shape)} must be handed on as they are"
        close(_logits(network.eval(), images), images, 0, claim)


def _logits(network: nn.Module, images: Tensor) -> Tensor:
    logits: Tensor = network(images)
    return logits


def _loss(under_test: ComponentUnderTest, shape: tuple[int, ...]) -> tuple[nn.Module, Callable[[], Tensor]]:
    _, network = next(under_test.for_images([shape]))
    module = _FromImages(network, images_of(shape, batch=4))
    # Not least where the logits are 0, as they may be from the start.
    return module, lambda: (network(module.images) - 1).square().sum()


class _FromImages(nn.Module):
    """A network and, as one more parameter, its images."""

    def __init__(self, network: nn.Module, images: Tensor) -> None:
        super().__init__()
        self.network = network
        self.images = nn.Parameter(images)
