"""What holds for localizers and networks alike: they are built for images of one shape and make vectors of them."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from stnkit.errors import InputError
from stnkit.testing import round_trips
from stnkit.testing.assertions import CheckFailed, NotApplicable, close, finite, require
from stnkit.testing.component_under_test import N_CLASSES, NotBuilt, Subject, one_line
from stnkit.testing.inputs import devices, uniform

TINY = [(1, 1, 1), (1, 2, 3), (1, 4, 4), (3, 1, 28), (1, 7, 5), (1, 9, 9), (1, 12, 14), (1, 3, 3, 3)]

# Makes the output of a module from images.
Output = Callable[[Any, Tensor], Tensor]


def images_of(shape: tuple[int, ...], batch: int = 3, seed: int = 6) -> Tensor:
    """Images with values in [0, 1]."""
    return ((uniform(batch, *shape, seed=seed) + 1) / 2).float()


def check_construction(subject: Subject) -> None:
    """It can be built for images of one of the usual shapes at least."""
    try:
        list(subject.for_images())
    except NotBuilt as reason:
        raise CheckFailed(str(reason)) from reason


def check_width(module: nn.Module, output: Output, shape: tuple[int, ...], width: object) -> None:
    """Images of the shape, one or several, give so many finite numbers each."""
    for batch in (1, 3):
        found = output(module.eval(), images_of(shape, batch))
        expected = (batch, width)
        claim = f"{batch} images of {list(shape)} must give shape {expected}"
        require(tuple(found.shape) == expected, f"{claim}, but give {tuple(found.shape)}")
        finite(found, f"what is made of images of {list(shape)} must be finite")


def check_too_small(subject: Subject, output: Output) -> None:
    """A tiny image either works or is refused by an InputError when the module is built."""
    name = "in_shape"
    list(subject.for_images())  # what cannot be built at all is for another check
    if name in subject.options:
        raise NotApplicable(f"it is checked for images of {list(subject.options[name])} only")
    for shape in TINY:
        try:
            module = subject.constructed(**{name: shape, "n_classes": N_CLASSES})
        except InputError as error:
            require(str(error).strip(), f"an InputError for images of {list(shape)} must say why")
            continue
        except Exception as error:
            raise CheckFailed(
                f"images of {list(shape)} must work or be refused by an InputError, but building it for them raised "
                f"{one_line(error)}"
            ) from error
        try:
            output(module.eval(), images_of(shape))
        except Exception as error:
            raise CheckFailed(
                f"images of {list(shape)} must work or be refused by an InputError when it is built, but reading them "
                f"raised {one_line(error)}"
            ) from error


def check_gradients(makers: Iterator[Callable[[], tuple[nn.Module, Tensor]]]) -> None:
    """The gradient of a loss reaches every parameter: it is there and not zero throughout.

    Args:
        makers: each makes a module, with other random weights every time, and its loss. A layer of few units may be
            dead by chance, so that one of five has to do.
    """
    for make in makers:
        missing: set[str] = set()
        for attempt in range(5):
            torch.manual_seed(attempt)
            module, loss = make()
            wanted = {name: p for name, p in module.named_parameters() if p.requires_grad}
            found = torch.autograd.grad(loss, list(wanted.values()), allow_unused=True)
            dead = {
                name for name, gradient in zip(wanted, found, strict=True) if gradient is None or not gradient.any()
            }
            missing = missing & dead if attempt else dead
            if not missing:
                break
        require(not missing, f"a gradient must reach every parameter, but none reaches {', '.join(sorted(missing))}")


def check_determinism(subject: Subject, output: Output) -> None:
    """In eval mode the same images give the same numbers."""
    for shape, module in subject.for_images():
        images = images_of(shape)
        claim = "the same images must give the same numbers in eval mode"
        close(output(module.eval(), images), output(module, images), 0, claim)


def check_batch_independence(subject: Subject, output: Output) -> None:
    """In eval mode an image gives the same in another batch."""
    for shape, module in subject.for_images():
        respond = _seeded(output, module.eval())
        images = images_of(shape)
        together = respond(images)
        for part in (slice(0, 2), slice(1, 3)):
            claim = "in eval mode an image must give the same in another batch"
            close(respond(images[part]), together[part], 1e-4, claim)


def check_device(subject: Subject, output: Output) -> None:
    """It moves to a device as a whole, and its output is there."""
    for device in devices():
        shape, module = next(subject.for_images())
        found = output(module.to(device), images_of(shape).to(device))
        kept = found.dtype == torch.float32 and found.device.type == device.type
        require(kept, f"images in float32 on {device} must give both, but give {found.dtype} on {found.device}")


def check_round_trip(subject: Subject, output: Output, name: str) -> None:
    """A copy, a pickle or another module with the same state gives the same numbers in eval mode.

    Args:
        subject: what is checked.
        output: what the module makes of images.
        name: deepcopy, pickle or state_dict.
    """
    shape, module = next(subject.for_images())
    images = images_of(shape)

    def respond(other: nn.Module) -> Tensor:
        return _seeded(output, other.eval())(images)

    if name == "state_dict":
        torch.manual_seed(1)  # other weights
        round_trips.after_state_dict(module, next(subject.for_images())[1], respond)
    else:
        {"deepcopy": round_trips.after_deepcopy, "pickle": round_trips.after_pickle}[name](module, respond)


def check_compiled(subject: Subject, output: Output) -> None:
    """torch.compile(fullgraph=True) gives the same numbers and gradients in eval mode."""
    shape, module = next(subject.for_images())
    images = images_of(shape).requires_grad_()
    module = module.eval()
    program = torch.compile(module, fullgraph=True, backend="aot_eager")
    round_trips.after_compile(module, lambda m: output(m, images), lambda _: output(program, images), [images])


def _seeded(output: Output, module: nn.Module) -> Callable[[Tensor], Tensor]:
    # What is random, which another check finds, is the same every time.
    return lambda images: (torch.manual_seed(0), output(module, images))[1]
