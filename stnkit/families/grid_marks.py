"""Marks of a family's `_grid`: finite by construction, or made image by image at no loss."""

from collections.abc import Callable
from typing import TypeVar

from torch import Tensor

GridHook = TypeVar("GridHook", bound=Callable[..., Tensor])


def bounded(hook: GridHook) -> GridHook:
    """Mark a `_grid` whose result is finite for every θ by construction: `grid` then saves a pass over it.

    Args:
        hook: the method of a family.
    """
    hook.is_bounded = True  # type: ignore[attr-defined]
    return hook


def image_by_image(hook: GridHook) -> GridHook:
    """Mark a `_grid` that costs as much for the images of a batch one after the other: `warp` then makes it in chunks.

    Args:
        hook: the method of a family.
    """
    hook.is_image_by_image = True  # type: ignore[attr-defined]
    return hook
