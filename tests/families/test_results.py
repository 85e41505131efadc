"""The result of a method of a family is checked where it is used, in one sentence with the class and the method."""

import numpy as np
import pytest
import torch

import stnkit

pytestmark = pytest.mark.no_jaxtyping

THETA = torch.tensor([[0.1, 0.2], [0.3, 0.1]])
POINTS = torch.linspace(-0.9, 0.9, 20).view(2, 5, 2)
# The method, its use, and the shape that it must give.
METHODS = {
    "forward": (lambda family: family(THETA, POINTS), [2, 5, 2]),
    "_grid": (lambda family: family.grid(THETA, (4, 6)), [2, 4, 6, 2]),
    "_inverse": (lambda family: family.inverse(THETA, POINTS), [2, 5, 2]),
    "_compose": (lambda family: family.compose(THETA, THETA), [2, 2]),
    "_fit": (lambda family: family.fit(POINTS, POINTS), [2, 2]),
    "_bending_energy": (lambda family: stnkit.bending_energy(family, THETA, (4, 6)), [2]),
    "_matrix_form": (lambda family: stnkit.families.matrix_form(family, THETA), [2, 3, 3]),
}
USED = [pytest.param(name, *given, id=name) for name, given in METHODS.items()]


class Shift(stnkit.TransformFamily):
    n_params = 2

    def identity(self):
        return torch.zeros(2, dtype=torch.float64)

    def forward(self, theta, points):
        return points + theta[:, None]


def giving(method, result):
    """A family whose method gives that result."""
    return type("Mine", (Shift,), {method: lambda self, *args: result})()


def refusal(use, family):
    with pytest.raises(stnkit.errors.InputError) as caught:
        use(family)
    return str(caught.value)


@pytest.mark.parametrize(("method", "use", "shape"), USED)
@pytest.mark.parametrize("result", [(POINTS, THETA), 0.0, np.zeros((2, 5, 2))], ids=["tuple", "float", "ndarray"])
def test_what_is_no_tensor_is_refused_by_name(method, use, shape, result):
    said = f"Mine.{method}: expected shape {shape}, got {type(result).__name__}"
    assert refusal(use, giving(method, result)) == said


@pytest.mark.parametrize("method", ["forward", "_grid", "_inverse", "_compose", "_fit"])
def test_none_is_refused_where_it_has_no_meaning(method):
    use, shape = METHODS[method]
    assert refusal(use, giving(method, None)) == f"Mine.{method}: expected shape {shape}, got NoneType"


@pytest.mark.parametrize(("method", "use", "shape"), USED)
@pytest.mark.parametrize("wrong", [slice(1), slice(None, None, 2)], ids=["first", "half"])
def test_a_tensor_of_another_shape_is_refused_by_name(method, use, shape, wrong):
    result = torch.zeros(shape)[wrong]
    said = f"Mine.{method}: expected shape {shape}, got {list(result.shape)}"
    assert refusal(use, giving(method, result)) == said


@pytest.mark.parametrize(("method", "use", "shape"), USED)
@pytest.mark.parametrize("dtype", [torch.int64, torch.complex64])
def test_a_tensor_that_is_not_real_is_refused_by_name(method, use, shape, dtype):
    said = f"Mine.{method}: expected a floating-point tensor, got {dtype}"
    assert refusal(use, giving(method, torch.zeros(shape, dtype=dtype))) == said


def test_a_matrix_form_in_float32_is_given_in_float64():
    family = giving("_matrix_form", torch.eye(3).expand(2, 3, 3))
    assert stnkit.families.matrix_form(family, THETA).dtype == torch.float64


def test_the_default_grid_names_forward():
    said = refusal(METHODS["_grid"][0], giving("forward", POINTS[:1]))
    assert said == "Mine.forward: expected shape [2, 24, 2], got [1, 5, 2]"
