"""The check that all of a module moves to another device, on any machine: with tensors of no values."""

import contextlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any, cast

import torch
from torch import Tensor, nn

from stnkit.errors import one_line
from stnkit.testing.assertions import LONGEST_REASON, CheckFailed

# The one device besides the CPU that every build of torch has: its tensors have shapes and no values.
OTHER = "meta"
# Parts of what torch says where an operation is given tensors of two devices.
_TWO_DEVICES = ("two different devices", "to be on the same device")
Move = Callable[[Tensor], Tensor]


def check_moves(call: Callable[[Move], object]) -> None:
    """Fail if something that is moved to another device computes with a tensor that has stayed on the CPU.

    A call that depends on the values of tensors has none here, and nothing is found of it.

    Args:
        call: computes of new modules, to which it applies `moved`, and of inputs, to which it applies the function that
            it is given.
    """
    from torch._subclasses.fake_tensor import FakeTensorMode  # takes seconds

    # It compares devices in every operation; the kernels of that device alone do so in few.
    mode = FakeTensorMode(allow_non_fake_inputs=True)

    held: list[Tensor] = []  # the mode remembers weakly

    def move(tensor: Tensor) -> Tensor:
        there: Any = mode.from_tensor(tensor.detach()).to(OTHER)
        if isinstance(tensor, nn.Parameter):  # `.to` moves it in place, and so for all that refer to it
            mode.fake_tensor_converter.set_tensor_memo(tensor, there)
            held.append(there)
        return cast("Tensor", there)

    try:
        with warnings.catch_warnings(), torch.no_grad(), _new_parameters(), mode:
            warnings.simplefilter("ignore")
            call(move)
    except Exception as error:
        if any(words in str(error) for words in _TWO_DEVICES):
            raise CheckFailed(
                "all of it must move to a device, and a tensor stays on the CPU: register it by "
                f"`self.register_buffer`, or move it where it is used (torch says: {one_line(error, LONGEST_REASON)})"
            ) from error


def moved(module: nn.Module, move: Move) -> nn.Module:
    """The module, with all of its parameters and buffers moved: `.to` takes no tensors without values.

    Args:
        module: not used afterwards.
        move: that of `check_moves`.
    """
    there: nn.Module = module._apply(move)  # type: ignore[no-untyped-call]
    return there


@contextlib.contextmanager
def _new_parameters() -> Iterator[None]:
    """A context in which a module that is moved has new parameters: those present cannot hold tensors of no values."""
    before = torch.__future__.get_overwrite_module_params_on_conversion()
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    try:
        yield
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(before)
