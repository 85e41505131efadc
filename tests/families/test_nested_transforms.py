"""Second derivatives in every order of torch.func's forward and reverse mode."""

import pytest
import torch
from torch.func import grad, jvp

import stnkit
from stnkit.plugin_system.registry import plugin_registry
from tests.helpers import random_points, random_theta

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")

NAMES = plugin_registry().names("transform")
# By a search, which follows one level of forward mode alone, and so says.
BY_SEARCH = {"bspline", "compose", "displacement", "tps"}


def results(family):
    points = random_points(family, batch=1, n=4, reach=0.5)
    return {
        "forward": lambda row: family(row, points),
        "inverse": lambda row: family.inverse(row, points).nan_to_num(),
        "grid": lambda row: family.grid(row, (4, 4)),
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_second_derivative_is_the_same_in_every_order(name):
    family = stnkit.build("transform", name)
    theta = family.identity() + random_theta(family, batch=1, scale=0.04)
    direction = random_theta(family, batch=1, scale=1.0, seed=2)
    for what, function in results(family).items():

        def loss(row, function=function):
            return function(row).square().mean()

        def slope(row, loss=loss):
            return jvp(loss, (row,), (direction,))[1]

        expected = jvp(lambda row, loss=loss: (grad(loss)(row) * direction).sum(), (theta,), (direction,))[1]
        torch.testing.assert_close((grad(slope)(theta) * direction).sum(), expected, msg=f"grad of jvp of {what}")
        if what != "inverse" or name not in BY_SEARCH:
            nested = jvp(slope, (theta,), (direction,))[1]
            torch.testing.assert_close(nested, expected, msg=f"jvp of jvp of {what}")
