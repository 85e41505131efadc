"""What users would pick instead of stnkit: a file for each library, a function for each piece of work."""

import importlib
from collections.abc import Callable
from typing import Any

# Not `torch` itself: a file here has that name.
from torch import Tensor, channels_last, contiguous_format


def peer(library: str, work: str) -> Callable[[Any], Any]:
    """A function of a file here, which is imported when it is called: not every library is installed everywhere."""

    def contender(inputs: Any) -> Any:
        return getattr(importlib.import_module(f"peers.{library}"), work)(inputs)

    return contender


def leaf(tensor: Tensor) -> Tensor:
    """A float32 copy that a gradient goes to, contiguous or channels-last."""
    is_last = tensor.ndim == 4 and tensor.is_contiguous(memory_format=channels_last)
    layout = channels_last if is_last and not tensor.is_contiguous() else contiguous_format
    return tensor.detach().float().clone(memory_format=layout).requires_grad_()


def share(images: Tensor, cost: float, budget: float) -> int:
    """How many images of a batch to work on, at least one, so that they cost about the budget at most.

    On a GPU all of them: few would leave it idle, and all could not be told from them.

    Args:
        images: the batch.
        cost: of one image.
        budget: of one call, in the same unit.
    """
    return len(images) if images.is_cuda else max(1, min(len(images), int(budget / cost)))
