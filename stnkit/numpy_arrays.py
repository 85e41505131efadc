"""Arrays of NumPy where tensors are taken."""

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor

from stnkit.errors import InputError


def as_tensor(name: str, value: Shaped[Tensor | np.ndarray, "*any"]) -> Shaped[Tensor, "*any"]:
    """A tensor as it is, or an array as a tensor.

    Args:
        name: of the argument, for the message.
        value: of the argument; an array of any strides and byte order.

    Raises:
        InputError: when it is neither, or its entries are no real numbers.

    Example:
        >>> import numpy as np
        >>> as_tensor("matrix", np.eye(2, dtype=">f4")[::-1])
        tensor([[0., 1.],
                [1., 0.]])
    """
    if not isinstance(value, Tensor | np.ndarray):
        raise InputError(f"{name}: expected a tensor or an array of NumPy, got {type(value).__name__}")
    if value.is_complex() if isinstance(value, Tensor) else value.dtype.kind not in "fiub":
        raise InputError(f"{name}: expected real numbers, got {value.dtype}")
    if isinstance(value, Tensor):
        return value
    # A copy: torch takes neither negative strides, the other byte order nor more than 64 bits, and warns of an array
    # that is read-only.
    dtype = value.dtype.newbyteorder("=") if value.dtype.itemsize <= 8 else np.dtype(np.float64)
    return torch.from_numpy(np.array(value, dtype))
