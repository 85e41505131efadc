"""Checks of the gradients to image and grid."""

import functools
from collections.abc import Callable

import torch
from torch import Tensor

from stnkit import coordinates
from stnkit.samplers.sampler import Sampler
from stnkit.testing.assertions import FLOAT64, CheckFailed, close, finite, gradcheck_sentence, require
from stnkit.testing.component_under_test import ComponentUnderTest
from stnkit.testing.inputs import SIZE
from stnkit.testing.registration import check_registered
from stnkit.testing.samplers.inputs import dimensions_read, grid_of, image_of, off_kinks, without_warning_of_gradient


def gradient_to_image(under_test: ComponentUnderTest) -> None:
    """The gradient to the image is that of finite differences. What else the sampler learns is registered."""
    sampler: Sampler = under_test.built()
    for ndim in dimensions_read(under_test):
        grid = off_kinks(SIZE[ndim])
        image = image_of(SIZE[ndim])[:1].requires_grad_()
        _check_gradients("image", functools.partial(_read, sampler, grid=grid), image)
        check_registered(sampler, functools.partial(_read, sampler, image, grid), (image,))


def gradient_to_grid(under_test: ComponentUnderTest) -> None:
    """The gradient to the grid is that of finite differences, away from the kinks of a kernel.

    At the centers of pixels, where training starts, it is finite and not zero throughout.
    With `exact_gradient = False` a sampler declares another gradient, or none: it must be finite.
    """
    sampler: Sampler = under_test.built()
    for ndim in dimensions_read(under_test):
        image = image_of(SIZE[ndim])[:1]
        grid = off_kinks(SIZE[ndim]).requires_grad_()
        if sampler.exact_gradient:
            _check_gradients("grid", functools.partial(_read, sampler, image), grid)
            _check_start(sampler, ndim)
            continue
        with without_warning_of_gradient():
            value = sampler(image, grid).sum()
            require(value.requires_grad, "there must be a gradient to the grid, at least one of zeros")
            finite(torch.autograd.grad(value, grid)[0], "the gradient to the grid must be finite")


def nan_grid(under_test: ComponentUnderTest) -> None:
    """A grid with NaN or infinity raises no error, forward or backward, and does not change another image."""
    sampler: Sampler = under_test.built()
    for ndim in dimensions_read(under_test):
        image, grid = image_of(SIZE[ndim]), grid_of(SIZE[ndim])
        expected = sampler(image, grid)[1]
        for value in (torch.nan, torch.inf, -torch.inf):
            broken = grid.clone()
            broken[0, 1] = value
            broken.requires_grad_()
            with without_warning_of_gradient():
                found = sampler(image.clone().requires_grad_(), broken)
                torch.autograd.backward(found.nan_to_num().sum())
            close(
                found[1], expected, FLOAT64, f"a grid with {value} must not change the values read from another image"
            )


def _read(sampler: Sampler, image: Tensor, grid: Tensor) -> Tensor:
    read: Tensor = sampler(image, grid)
    return read


def _check_start(sampler: Sampler, ndim: int) -> None:
    # Sides that are powers of two, so that no rounding moves a point off its pixel's center.
    size = (4, 8, 4)[:ndim]
    grid = coordinates.lattice(size, dtype=torch.float64)[None].requires_grad_()
    (found,) = torch.autograd.grad(sampler(image_of(size)[:1], grid).sum(), grid)
    finite(found, "the gradient to the grid must be finite at the centers of pixels, where training starts")
    moves = float(found.abs().max()) > FLOAT64
    require(moves, "the gradient to the grid must not be 0 at the centers of all pixels, where training starts")


def _check_gradients(name: str, call: Callable[[Tensor], Tensor], point: Tensor) -> None:
    try:
        torch.autograd.gradcheck(call, (point,), fast_mode=True)
    except (RuntimeError, AssertionError, ValueError) as error:
        text = gradcheck_sentence(error)
        raise CheckFailed(f"the gradient to the {name} must be that of finite differences: {text}") from error
