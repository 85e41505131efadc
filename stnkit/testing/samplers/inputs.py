"""Inputs of the checks of samplers."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import Tensor

from stnkit import coordinates
from stnkit.errors import InputError
from stnkit.samplers.sampler import Sampler
from stnkit.testing.component_under_test import ComponentUnderTest, NotBuilt
from stnkit.testing.inputs import SIZE, uniform


def image_of(size: tuple[int, ...]) -> Tensor:
    """Two random images of three channels."""
    return uniform(2, 3, *size, seed=4)


def grid_of(size: tuple[int, ...], reach: float = 1.4) -> Tensor:
    """Random points on the image and beside it, for two images."""
    return reach * uniform(2, *size, len(size), seed=5)


def off_kinks(size: tuple[int, ...]) -> Tensor:
    """Points a tenth to a quarter of a pixel from the pixel centers: kernels have kinks there and halfway between."""
    pixels = coordinates.to_pixels(grid_of((2, 3, 2)[: len(size)], reach=1.2)[:1], size)
    rest = pixels - pixels.round()
    return coordinates.from_pixels(pixels.round() + (0.1 + 0.3 * rest.abs()) * rest.sign(), size)


def dimensions(under_test: ComponentUnderTest) -> list[int]:
    """The numbers of dimensions, 2 and 3, in which the sampler reads: those that it does not refuse by an InputError.

    Raises:
        NotBuilt: when it refuses both.
    """
    if "dimensions" not in under_test.cached:
        sampler: Sampler = under_test.built()
        read, refused = [], []
        for ndim, size in SIZE.items():
            try:
                sampler(image_of(size), grid_of(size))
            except InputError as error:
                refused.append(str(error))
            else:
                read.append(ndim)
        if not read:
            raise NotBuilt(f"it reads neither images nor volumes: {refused[-1]}")
        under_test.cached["dimensions"] = read
    found: list[int] = under_test.cached["dimensions"]
    return found


def response(under_test: ComponentUnderTest) -> Callable[[Sampler], Tensor]:
    """The function that reads one image with a given sampler."""
    size = SIZE[dimensions(under_test)[0]]
    return lambda sampler: sampler(image_of(size), grid_of(size))


@contextmanager
def without_warning_of_gradient() -> Iterator[None]:
    """A context that ignores the warning of a sampler without a gradient to the grid."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield
