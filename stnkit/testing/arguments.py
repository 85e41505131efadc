"""The check that arguments are left as they are: who gives them uses them again."""

from collections.abc import Callable

from torch import Tensor

from stnkit.testing.assertions import close


def require_unchanged(method: str, call: Callable[..., object], **given: Tensor) -> None:
    """Fail if a call changes one of its arguments.

    Args:
        method: its name, for the sentence.
        call: called with a copy of each of `given`, in that order.
        given: arguments that require no gradient.
    """
    copies = {name: value.detach().clone() for name, value in given.items()}
    call(*copies.values())
    for name, value in given.items():
        close(copies[name], value, 0, f"{method} must not change its {name}, which is modified in place")
