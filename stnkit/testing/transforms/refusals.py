"""Checks of arguments that a family refuses by an InputError."""

from collections.abc import Callable

import torch

from stnkit.errors import InputError
from stnkit.families.family import TransformFamily
from stnkit.testing.assertions import CheckFailed
from stnkit.testing.component_under_test import ComponentUnderTest
from stnkit.testing.inputs import SIZE, points_of, theta_of


def wrong_theta(under_test: ComponentUnderTest) -> None:
    """A θ that has another shape than (B, n_params), or that is not of floating point, is refused by an InputError."""
    family: TransformFamily = under_test.built()
    width, points = family.n_params, points_of(family)
    for theta in (torch.zeros(2, width + 1), torch.zeros(width), torch.zeros(2, width, dtype=torch.int64)):
        given = f"a θ of shape {tuple(theta.shape)} in {theta.dtype}, where n_params is {width}"
        _require_refusal(lambda t: family.grid(t, SIZE[family.ndim]), theta, f"grid must refuse {given}")
        _require_refusal(lambda t: family(t, points), theta, f"forward must refuse {given}")


def wrong_points(under_test: ComponentUnderTest) -> None:
    """Points of another shape than (B or 1, N, ndim), or not of floating point, are refused by an InputError."""
    family: TransformFamily = under_test.built()
    ndim, theta = family.ndim, theta_of(family, batch=3)
    for points in (
        torch.zeros(1, 5, ndim + 1),
        torch.zeros(2, 5, ndim),
        torch.zeros(5, ndim),
        torch.zeros(1, 5, ndim, dtype=torch.int64),
    ):
        given = f"points of shape {tuple(points.shape)} in {points.dtype}, where ndim is {ndim} and θ has 3 rows"
        _require_refusal(lambda p: family(theta, p), points, f"forward must refuse {given}")
        _require_refusal(lambda p: family.inverse(theta, p), points, f"inverse must refuse {given}")


def wrong_size(under_test: ComponentUnderTest) -> None:
    """A size of the grid that is not `ndim` positive whole numbers is refused by an InputError."""
    family: TransformFamily = under_test.built()
    theta, size = theta_of(family), SIZE[family.ndim]
    for wrong in ((*size, 4), size[1:], (0, *size[1:]), (-2, *size[1:]), (2.5, *size[1:])):
        given = f"the size {list(wrong)}, where ndim is {family.ndim}"
        _require_refusal(lambda s: family.grid(theta, s), wrong, f"grid must refuse {given}")


def _require_refusal(call: Callable[..., object], argument: object, claim: str) -> None:
    try:
        call(argument)
    except InputError:
        return
    except Exception as error:
        raise CheckFailed(f"{claim} by an InputError: expected that, got {type(error).__name__}") from error
    raise CheckFailed(f"{claim} by an InputError: expected that, got a result")
