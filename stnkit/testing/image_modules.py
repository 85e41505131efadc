"""Checks that localizers and networks share: both are built for images of one shape and map them to vectors."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from stnkit.errors import InputError, one_line
from stnkit.testing import round_trips
from stnkit.testing.arguments import require_unchanged
from stnkit.testing.assertions import LONGEST_REASON, CheckFailed, NotApplicable, NotBuilt, close, finite, require
from stnkit.testing.component_under_test import N_CLASSES, ComponentUnderTest
from stnkit.testing.image_shapes import images_of
from stnkit.testing.inputs import devices, seed_generators
from stnkit.testing.other_device import check_moves, moved
from stnkit.testing.registration import check_registered

TINY = [(1, 1, 1), (1, 2, 3), (1, 4, 4), (3, 1, 28), (1, 7, 5), (1, 9, 9), (1, 12, 14), (1, 3, 3, 3)]
# Size of the weights that begin at 0, once they have moved.
FIRST_STEP = 0.01

# (module, images) ↦ output.
Output = Callable[[Any, Tensor], Tensor]


def check_construction(under_test: ComponentUnderTest) -> None:
    """It can be built for images of at least one of the typical shapes."""
    try:
        under_test.image_shapes()
    except NotBuilt as reason:
        raise CheckFailed(str(reason)) from reason


def check_width(module: nn.Module, output: Output, shape: tuple[int, ...], width: object) -> None:
    """One or several images of the shape give `width` finite numbers each."""
    for batch in (1, 3):
        found = output(module.eval(), images_of(shape, batch))
        expected = (batch, width)
        given = f"{batch} images of {list(shape)}"
        require(tuple(found.shape) == expected, f"{given}: expected shape {expected}, got {tuple(found.shape)}")
        finite(found, f"the output for images of {list(shape)} must be finite")


def check_too_small(under_test: ComponentUnderTest, output: Output) -> None:
    """A tiny image either works or is refused by an InputError when the module is built."""
    name = "in_shape"
    dimensions = {len(shape) for shape in under_test.image_shapes().taken}
    if name in under_test.options:
        raise NotApplicable(f"it is checked for images of {list(under_test.options[name])} only")
    for shape in (tiny for tiny in TINY if len(tiny) in dimensions):
        try:
            module = under_test.constructed(**{name: shape, "n_classes": N_CLASSES})
        except InputError as error:
            require(str(error).strip(), f"an InputError for images of {list(shape)} must say why")
            continue
        except Exception as error:
            raise CheckFailed(
                f"building it for images of {list(shape)}: expected success or an InputError, "
                f"got {one_line(error, LONGEST_REASON)}"
            ) from error
        try:
            output(module.eval(), images_of(shape))
        except Exception as error:
            raise CheckFailed(
                f"reading images of {list(shape)}: expected success, or an InputError when it is built for them, "
                f"got {one_line(error, LONGEST_REASON)}"
            ) from error


def check_gradients(makers: Iterator[Callable[[], tuple[nn.Module, Callable[[], Tensor]]]]) -> None:
    """The gradient of a loss reaches every parameter: it exists and is not zero throughout. Each is registered.

    Parameters that begin at 0, such as those of a transformer's head, learn first, and others behind them.

    Args:
        makers: each makes a module, with new random weights at every call, and the function that computes its loss. A
            layer of few units may be dead by chance, so that one of five attempts is enough.
    """
    for make in makers:
        missing: set[str] = set()
        for attempt in range(5):
            seed_generators(attempt)
            module, loss_of = make()
            if not attempt:
                check_registered(module, loss_of)
            dead = _unreached(module, loss_of)
            missing = missing & dead if attempt else dead
            if not missing:
                break
        require(not missing, f"a gradient must reach every parameter: none reaches {', '.join(sorted(missing))}")


def _unreached(module: nn.Module, loss_of: Callable[[], Tensor]) -> set[str]:
    """The names of the parameters that no gradient reaches, at the start or once those have moved that begin at 0."""
    wanted = {name: p for name, p in module.named_parameters() if p.requires_grad}
    while True:
        found = torch.autograd.grad(loss_of(), list(wanted.values()), allow_unused=True)
        dead = {name for name, gradient in zip(wanted, found, strict=True) if gradient is None or not gradient.any()}
        moving = [parameter for name, parameter in wanted.items() if name not in dead and not parameter.any()]
        if not dead or not moving:
            return dead
        with torch.no_grad():
            for parameter in moving:
                parameter.copy_(FIRST_STEP * torch.randn_like(parameter))


def check_unchanged(under_test: ComponentUnderTest, output: Output) -> None:
    """Images are not changed in place, neither in training nor in eval mode."""
    for shape, module in under_test.for_images():
        for training in (True, False):
            call = functools.partial(output, module.train(training))
            require_unchanged("the call", call, images=images_of(shape))


def check_determinism(under_test: ComponentUnderTest, output: Output) -> None:
    """In eval mode the same images give the same numbers."""
    for shape, module in under_test.for_images():
        images = images_of(shape)
        claim = "the same images must give the same numbers in eval mode"
        close(output(module.eval(), images), output(module, images), 0, claim)


def check_batch_independence(under_test: ComponentUnderTest, output: Output) -> None:
    """In eval mode an image gives the same in another batch."""
    for shape, module in under_test.for_images():
        respond = _seeded(output, module.eval())
        images = images_of(shape)
        together = respond(images)
        for some in (slice(0, 2), slice(1, 3)):
            claim = "in eval mode an image must give the same in another batch"
            close(respond(images[some]), together[some], 1e-4, claim)


def check_device(under_test: ComponentUnderTest, output: Output) -> None:
    """All of it moves to a device, and its output is there; without a GPU, to one that computes no values."""
    for device in devices():
        shape, module = next(under_test.for_images())
        found = output(module.to(device), images_of(shape).to(device))
        same = found.dtype == torch.float32 and found.device.type == device.type
        require(same, f"images in float32 on {device}: expected output in both, got {found.dtype} on {found.device}")
    shape, module = next(under_test.for_images())
    check_moves(lambda move: output(moved(module, move), move(images_of(shape))))


def check_round_trip(under_test: ComponentUnderTest, output: Output, name: str) -> None:
    """A copy, a pickle or another module with the same state gives the same numbers in eval mode.

    Args:
        under_test: the component.
        output: (module, images) ↦ output.
        name: deepcopy, pickle or state_dict.
    """
    shape, module = next(under_test.for_images())
    images = images_of(shape)

    def respond(other: nn.Module) -> Tensor:
        return _seeded(output, other.eval())(images)

    if name == "state_dict":
        seed_generators(1)  # other weights
        round_trips.after_state_dict(module, next(under_test.for_images())[1], respond)
    else:
        {"deepcopy": round_trips.after_deepcopy, "pickle": round_trips.after_pickle}[name](module, respond)


def check_compiled(under_test: ComponentUnderTest, output: Output) -> None:
    """torch.compile(fullgraph=True) gives the same numbers and gradients in eval mode."""
    shape, module = next(under_test.for_images())
    images = images_of(shape).requires_grad_()
    module = module.eval()
    program = torch.compile(module, fullgraph=True, backend="aot_eager")
    round_trips.after_compile(module, lambda m: output(m, images), lambda _: output(program, images), [images])


def _seeded(output: Output, module: nn.Module) -> Callable[[Tensor], Tensor]:
    """(images ↦ output), with the same random numbers at every call: randomness is the finding of another check."""

    def respond(images: Tensor) -> Tensor:
        seed_generators(0)
        return output(module, images)

    return respond
