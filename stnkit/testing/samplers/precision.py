"""Checks of dtypes and devices."""

import functools

import torch
from torch import Tensor

from stnkit.samplers.sampler import Sampler
from stnkit.testing.assertions import close, require
from stnkit.testing.component_under_test import ComponentUnderTest
from stnkit.testing.inputs import SIZE, devices
from stnkit.testing.other_device import Move, check_moves, moved
from stnkit.testing.samplers.inputs import dimensions_read, grid_of, image_of


def dtype_and_device(under_test: ComponentUnderTest) -> None:
    """The result has the dtype and the device of the image, for a grid of any dtype.

    Without a GPU too, all that it computes with moves to another device.
    """
    for device in devices():
        sampler = under_test.another().to(device)
        for ndim in dimensions_read(under_test):
            for image_dtype in (torch.float32, torch.float64):
                for grid_dtype in (torch.float32, torch.float64):
                    image = image_of(SIZE[ndim]).to(device, image_dtype)
                    found = sampler(image, grid_of(SIZE[ndim]).to(device, grid_dtype))
                    same = found.dtype == image_dtype and found.device.type == device.type
                    claim = f"an image in {image_dtype} on {device} with a grid in {grid_dtype}"
                    require(same, f"{claim}: expected that dtype and device, got {found.dtype} on {found.device}")
    for ndim in dimensions_read(under_test):
        check_moves(functools.partial(_read, under_test.another(), image_of(SIZE[ndim]), grid_of(SIZE[ndim])))


def half_precision(under_test: ComponentUnderTest) -> None:
    """An image of half precision is read with the precision of its grid, float32, and rounded once."""
    sampler: Sampler = under_test.built()
    for ndim in dimensions_read(under_test):
        for dtype in (torch.float16, torch.bfloat16):
            image, grid = image_of(SIZE[ndim]).to(dtype), grid_of(SIZE[ndim]).float()
            found = sampler(image, grid)
            require(found.dtype == dtype, f"an image in {dtype}: expected {dtype}, got {found.dtype}")
            expected = sampler(image.float(), grid).to(dtype)
            # One unit in the last place, since a tie may be rounded either way.
            close(found.float(), expected.float(), torch.finfo(dtype).eps, f"{dtype} must be read as in float32")


def autocast(under_test: ComponentUnderTest) -> None:
    """Autocast changes no value that is read."""
    sampler: Sampler = under_test.built()
    for ndim in dimensions_read(under_test):
        image, grid = image_of(SIZE[ndim]).float(), grid_of(SIZE[ndim]).float()
        expected = sampler(image, grid)
        with torch.autocast("cpu", torch.bfloat16):
            found = sampler(image, grid)
        close(found.float(), expected, 1e-6, "autocast must change nothing (see coordinates.full_precision)")


def _read(sampler: Sampler, image: Tensor, grid: Tensor, move: Move) -> None:
    moved(sampler, move)(move(image.float()), move(grid.float()))
