"""Batches of batches, which a rule of vmap gets, as one batch."""

from typing import Any

from torch import Tensor


def as_one_batch(n: int, in_dims: tuple[Any, ...], *tensors: Tensor) -> list[Tensor]:
    """Tensors (b, …) for each of n examples as (n · B, …), in the order of the examples.

    Args:
        n: number of examples.
        in_dims: for each tensor the axis of the examples, or None where all share it.
        tensors: the first one has the batch of B; the others have it too, or are (1, …), the same for the whole batch,
            and are repeated.

    Example:
        >>> import torch
        >>> theta, points = as_one_batch(3, (0, None), torch.zeros(3, 2, 6), torch.zeros(1, 5, 2))
        >>> theta.shape, points.shape
        (torch.Size([6, 6]), torch.Size([6, 5, 2]))
    """
    moved = [
        t.expand(n, *t.shape) if dim is None else t.movedim(dim, 0) for t, dim in zip(tensors, in_dims, strict=False)
    ]
    batch = moved[0].shape[1]
    return [t.expand(n, batch, *t.shape[2:]).flatten(0, 1) for t in moved]
