"""What users would pick instead of stnkit: a file for each library, a function for each piece of work."""

import importlib
from collections.abc import Callable
from typing import Any

from torch import Tensor


def peer(library: str, work: str) -> Callable[[Any], Any]:
    """A function of a file here, which is imported when it is called: not every library is installed everywhere."""

    def contender(inputs: Any) -> Any:
        return getattr(importlib.import_module(f"peers.{library}"), work)(inputs)

    return contender


def leaf(tensor: Tensor) -> Tensor:
    """A float32 copy that a gradient goes to."""
    return tensor.detach().float().contiguous().clone().requires_grad_()


def share(images: Tensor, cost: float, budget: float) -> int:
    """How many images of a batch to work on, at least one, so that they cost about the budget at most.

    On a GPU all of them: few would leave it idle, and all could not be told from them.

    Args:
        images: the batch.
        cost: of one image.
        budget: of one call, in the same unit.
    """
    return len(images) if images.is_cuda else max(1, min(len(images), int(budget / cost)))
