"""Derivatives of a map in its points, by either way of taking them."""

import subprocess
import sys

import pytest
import torch

import stnkit
from stnkit.plugin_system.registry import plugin_registry
from tests.helpers import random_points, random_theta

# Two steps of a flow are a loop as well as eight, and are differentiated in a quarter of the time.
FAMILIES = [(name, {"steps": 2} if name == "velocity" else {}) for name in plugin_registry().names("transform")]
FAMILIES += [(name, {"ndim": 3}) for name in ("affine", "tps", "displacement", "rotation")]


# Where a gradient is wanted they are taken by torch.func, else by the graph that autograd records.
@pytest.mark.slow
@pytest.mark.parametrize(("name", "options"), FAMILIES)
def test_a_gradient_that_is_wanted_changes_no_value(name, options):
    family = stnkit.build("transform", name, **options)
    theta, points = family.identity() + random_theta(family, batch=3, scale=0.1), random_points(family)
    for figure in (stnkit.families.jacobian, stnkit.jacobian_determinant):
        found, expected = (figure(family, t, points) for t in (theta, theta.clone().requires_grad_()))
        assert not found.requires_grad
        torch.testing.assert_close(found, expected.detach(), atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("name", ["projective", "tps"])
def test_points_with_a_gradient_have_that_of_the_jacobian(name):
    family = stnkit.build("transform", name)
    theta = family.identity()[None] + random_theta(family, batch=1, scale=0.1)
    points = random_points(family, batch=1, n=3).requires_grad_()
    assert torch.autograd.gradcheck(lambda p: stnkit.families.jacobian(family, theta, p), points)


@pytest.mark.no_jaxtyping
def test_each_parameter_of_a_family_has_its_gradient():
    class Zoom(stnkit.TransformFamily):
        n_params = 1

        def __init__(self):
            super().__init__()
            self.factor = torch.nn.Parameter(torch.tensor(3.0, dtype=torch.float64))

        def identity(self):
            return torch.ones(1, dtype=torch.float64)

        def forward(self, theta, points):
            return self.factor * theta[:, None] * points

    family = Zoom()
    stnkit.jacobian_determinant(family, torch.full((1, 1), 2.0), (1, 1)).sum().backward()
    assert family.factor.grad.item() == 2 * 3 * 2**2  # of (factor · θ)²


def test_a_theta_of_inference_mode_has_derivatives():
    family = stnkit.build("transform", "affine")
    with torch.inference_mode():
        theta = torch.tensor([[2.0, 1, 0, 0, 3, 0]])
    for context in (torch.enable_grad, torch.no_grad, torch.inference_mode):
        with context():
            assert stnkit.jacobian_determinant(family, theta, (1, 2)).tolist() == [[[6.0, 6.0]]]


def test_a_map_that_does_not_depend_on_its_points_is_flat():
    class Constant(stnkit.TransformFamily):
        n_params = 2

        def identity(self):
            return torch.zeros(2, dtype=torch.float64)

        def forward(self, theta, points):
            return theta[:, None].expand(-1, points.shape[1], -1)

    family, theta = Constant(), torch.tensor([[0.5, 0.25]])
    assert not stnkit.families.jacobian(family, theta, (2, 3)).any()
    assert stnkit.folds(family, theta, (2, 3)).tolist() == [1.0]
    assert stnkit.bending_energy(family, theta, (2, 3)).tolist() == [0.0]


@pytest.mark.process
def test_folds_of_a_new_process_import_no_compiler():
    code = (
        "import sys, torch, stnkit\n"
        "for name in ('affine', 'projective', 'tps', 'bspline'):\n"
        "    family = stnkit.build('transform', name)\n"
        "    theta = family.identity()[None]\n"
        "    assert stnkit.folds(family, theta, (5, 6)).item() == 0\n"
        "    assert abs(stnkit.jacobian_determinant(family, theta, torch.zeros(1, 1, 2)).item() - 1) < 1e-6\n"
        "    assert stnkit.bending_energy(family, theta, (5, 6)).item() < 1e-12\n"
        "print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
