"""Inputs of the checks of samplers."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import Tensor

from stnkit import coordinates
from stnkit.errors import InputError, one_line
from stnkit.samplers.sampler import Sampler
from stnkit.testing.assertions import LONGEST_REASON, NotApplicable, NotBuilt
from stnkit.testing.component_under_test import ComponentUnderTest
from stnkit.testing.image_shapes import NAMES
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


def dimensions_read(under_test: ComponentUnderTest) -> list[int]:
    """The numbers of dimensions, 2 and 3, in which the sampler reads: where it reads in one, it may fail in the other.

    Raises:
        NotBuilt: when it refuses both by an InputError.
        Exception: that of the sampler, when it reads in neither.
    """
    refused = _refused(under_test)
    if len(refused) == len(SIZE):
        for error in refused.values():
            if not isinstance(error, InputError):
                raise error
        raise NotBuilt(f"it reads neither images nor volumes: {refused[3]}")
    return [ndim for ndim in SIZE if ndim not in refused]


def volumes_beside_images(under_test: ComponentUnderTest) -> int:
    """3, where the sampler reads in both.

    Raises:
        NotApplicable: with the reason, when it reads in one only.
    """
    ndim, *others = dimensions_read(under_test)
    for error in _refused(under_test).values():
        raise NotApplicable(f"it reads {NAMES[ndim]} only: {one_line(error, LONGEST_REASON)}")
    return others[0]


def _refused(under_test: ComponentUnderTest) -> dict[int, Exception]:
    """The error of each number of dimensions in which the sampler does not read."""
    if "refused" not in under_test.cached:
        sampler: Sampler = under_test.built()
        refused: dict[int, Exception] = {}
        for ndim, size in SIZE.items():
            try:
                sampler(image_of(size), grid_of(size))
            except Exception as error:
                refused[ndim] = error
        under_test.cached["refused"] = refused
    found: dict[int, Exception] = under_test.cached["refused"]
    return found


def response(under_test: ComponentUnderTest) -> Callable[[Sampler], Tensor]:
    """The function that reads one image with a given sampler."""
    size = SIZE[dimensions_read(under_test)[0]]
    return lambda sampler: sampler(image_of(size), grid_of(size))


@contextmanager
def without_warning_of_gradient() -> Iterator[None]:
    """A context that ignores the warning of a sampler without a gradient to the grid."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield
