"""The memory of a tensor, as a kernel reads it."""

from torch import Tensor


def has_memory(tensor: Tensor) -> bool:
    """True if the values lie in the memory of the tensor as they are: no wrapper, no lazy negation.

    Args:
        tensor: on the CPU.
    """
    try:
        return not tensor.is_neg() and (tensor.data_ptr() != 0 or tensor.numel() == 0)
    except RuntimeError:
        return False  # sparse, or the wrapper of a transform that has ended
