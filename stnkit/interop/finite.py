"""The check of numbers that other tools have given."""

from jaxtyping import Float
from torch import Tensor

from stnkit.errors import InputError
from stnkit.families.tracing import read_mask


def check_finite(name: str, given: Float[Tensor, "B *numbers"]) -> None:
    """Raise an InputError unless all numbers are finite; values that cannot be read, as under vmap, pass.

    Args:
        name: of the argument, for the message.
        given: a batch.

    Raises:
        InputError: when a number of it is NaN or infinite.

    Example:
        >>> import torch, stnkit
        >>> stnkit.interop.finite.check_finite("matrix", torch.eye(3)[None])
    """
    finite = read_mask(given.isfinite().flatten(1).all(dim=1))
    if finite is not None and not all(finite):
        index = finite.index(False)
        place = f"in row {index}" if given.ndim == 2 else f"at index {index} of the batch"
        raise InputError(f"{name}: expected finite numbers, got {given[index].tolist()} {place}")
