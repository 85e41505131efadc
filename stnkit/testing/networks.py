"""What every network has to do: the checks of `Network`, for images of several sizes."""

import functools

from torch import Tensor, nn

from stnkit.testing import image_modules, round_trips
from stnkit.testing.component_under_test import N_CLASSES, Subject
from stnkit.testing.image_modules import images_of


def construction(subject: Subject) -> None:
    """The constructor works with the options, for images of one of the usual shapes at least."""
    image_modules.check_construction(subject)


def config(subject: Subject) -> None:
    """Its options pass through a Hydra config unchanged: it can be selected and set on the command line."""
    round_trips.through_config(subject)


def logits(subject: Subject) -> None:
    """Images of any shape that it was built for give (B, n_classes), finite."""
    width = subject.options.get("n_classes", N_CLASSES)
    for shape, network in subject.for_images():
        image_modules.check_width(network, _logits, shape, width)


def too_small_input(subject: Subject) -> None:
    """Images that are too small are refused by an InputError when it is built, not by a layer when it runs."""
    image_modules.check_too_small(subject, _logits)


def gradients(subject: Subject) -> None:
    """The gradient of a loss reaches every parameter, and the images, from which a transformer in front learns."""
    shapes = [shape for shape, _ in subject.for_images()]
    image_modules.check_gradients(functools.partial(_loss, subject, shape) for shape in shapes)


def deterministic_in_eval(subject: Subject) -> None:
    """In eval mode the same images give the same logits."""
    image_modules.check_determinism(subject, _logits)


def batch_independence(subject: Subject) -> None:
    """In eval mode the logits of an image do not depend on the others of its batch."""
    image_modules.check_batch_independence(subject, _logits)


def dtype_and_device(subject: Subject) -> None:
    """It moves to a device as a whole, and logits of float32 images are float32 there."""
    image_modules.check_device(subject, _logits)


def state_dict(subject: Subject) -> None:
    """Another network that loads its state, through a file of plain tensors, gives the same logits."""
    image_modules.check_round_trip(subject, _logits, "state_dict")


def pickled(subject: Subject) -> None:
    """A network that was used, pickled and unpickled gives the same logits."""
    image_modules.check_round_trip(subject, _logits, "pickle")


def deep_copied(subject: Subject) -> None:
    """A deep copy of a network that was used gives the same logits."""
    image_modules.check_round_trip(subject, _logits, "deepcopy")


def compiled(subject: Subject) -> None:
    """torch.compile(fullgraph=True) gives the same logits, with the same gradients."""
    image_modules.check_compiled(subject, _logits)


CHECKS = (
    construction,
    config,
    logits,
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


def _logits(network: nn.Module, images: Tensor) -> Tensor:
    logits: Tensor = network(images)
    return logits


def _loss(subject: Subject, shape: tuple[int, ...]) -> tuple[nn.Module, Tensor]:
    _, network = next(subject.for_images([shape]))
    module = _FromImages(network, images_of(shape, batch=4))
    return module, network(module.images).square().sum()


class _FromImages(nn.Module):
    """A network and images that want a gradient as its parameters do."""

    def __init__(self, network: nn.Module, images: Tensor) -> None:
        super().__init__()
        self.network = network
        self.images = nn.Parameter(images)
