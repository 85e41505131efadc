"""The default fit: exact where it can be, stationary beyond, with the gradient of the implicit function."""

import pytest
import torch
import torch.nn.functional as F

import stnkit
from stnkit.errors import InputError
from tests.helpers import random_points, random_theta


class Swirl(stnkit.TransformFamily):
    """A rotation by θ₀ exp(−θ₁ r²), and a shift by θ₂ along x."""

    n_params = 3

    def identity(self):
        return torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64)

    def forward(self, theta, points):
        strength, decay, shift = theta[:, None].split(1, dim=-1)
        angle = strength * torch.exp(-decay * points.square().sum(dim=-1, keepdim=True))
        x, y = points.split(1, dim=-1)
        cos, sin = angle.cos(), angle.sin()
        return torch.cat([cos * x - sin * y + shift, sin * x + cos * y], dim=-1)


class Sampled(stnkit.TransformFamily):
    """Displacements read by grid_sample, which torch differentiates once alone."""

    n_params = 8

    def identity(self):
        return torch.zeros(8, dtype=torch.float64)

    def forward(self, theta, points):
        points = points.expand(theta.shape[0], -1, -1)
        read = F.grid_sample(theta.view(-1, 2, 2, 2), points[:, :, None], align_corners=True)
        return points + read[..., 0].transpose(1, 2)


SWIRL = Swirl()
START = torch.tensor([[0.5, 1.2, 0.1], [-0.8, 0.6, 0.0]], dtype=torch.float64)
POINTS = random_points(SWIRL, batch=2, n=30)


def noise(size, n=30):
    return size * random_points(SWIRL, batch=2, n=n, seed=6)


def slope_of(family, theta, target, source, weights):
    theta = theta.detach().requires_grad_()
    cost = (weights[..., None] * (family(theta, target) - source).square()).sum()
    return torch.autograd.grad(cost, theta)[0]


def test_theta_is_recovered_to_rounding():
    found = SWIRL.fit(POINTS, SWIRL(START, POINTS))
    torch.testing.assert_close(found, START, rtol=0, atol=1e-13)


@pytest.mark.parametrize("size", [1e-3, 0.1, 1.0])
def test_the_squared_error_is_stationary_with_noise(size):
    source = SWIRL(START, POINTS) + noise(size)
    weights = random_points(SWIRL, batch=2, n=30, seed=3)[..., 0].abs()
    slope = slope_of(SWIRL, SWIRL.fit(POINTS, source, weights), POINTS, source, weights)
    torch.testing.assert_close(slope, torch.zeros_like(slope), rtol=0, atol=1e-6 * size)


@pytest.mark.parametrize("size", [0.0, 0.1])
def test_gradients_to_points_and_weights_pass_gradcheck(size):
    target, source = POINTS[:, :8], SWIRL(START, POINTS[:, :8]) + noise(size, n=8)
    weights = torch.linspace(0.5, 1.5, 8, dtype=torch.float64).expand(2, -1)
    inputs = tuple(tensor[:1].clone().requires_grad_() for tensor in (target, source, weights))
    assert torch.autograd.gradcheck(SWIRL.fit, inputs, fast_mode=True)


def test_weights_of_the_family_itself_get_a_gradient():
    class Scaled(Swirl):
        def __init__(self):
            super().__init__()
            self.factor = torch.nn.Parameter(torch.tensor(2.0, dtype=torch.float64))

        def forward(self, theta, points):
            return super().forward(self.factor * theta, points)

    family = Scaled()
    with torch.no_grad():
        source = family(START / 2, POINTS)
    theta = family.fit(POINTS, source)
    (found,) = torch.autograd.grad(theta[0, 0], family.factor)
    torch.testing.assert_close(found, -theta[0, 0].detach() / 2, rtol=0, atol=1e-10)  # θ · factor stays


def test_an_element_of_a_batch_is_what_it_is_alone():
    source = SWIRL(START, POINTS) + noise(0.3)
    together = SWIRL.fit(POINTS, source)
    alone = torch.cat([SWIRL.fit(POINTS[k : k + 1], source[k : k + 1]) for k in range(2)])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-12)


def test_a_weight_of_zero_leaves_a_point_out():
    source, weights = SWIRL(START, POINTS) + noise(0.3), torch.ones(2, 30, dtype=torch.float64)
    weights[:, 20:] = 0
    expected = SWIRL.fit(POINTS[:, :20], source[:, :20])
    torch.testing.assert_close(SWIRL.fit(POINTS, source, weights), expected, rtol=0, atol=1e-12)


def test_a_map_that_is_differentiated_once_is_fitted():
    family = Sampled()
    theta = random_theta(family, batch=2)
    torch.testing.assert_close(family.fit(POINTS, family(theta, POINTS)), theta, rtol=0, atol=1e-12)


def test_entries_that_are_one_map_share_the_shortest_gradient():
    class Twice(Swirl):
        """θ₀ and θ₁ shift along x, both."""

        n_params = 2

        def identity(self):
            return torch.zeros(2, dtype=torch.float64)

        def forward(self, theta, points):
            return points + theta.sum(dim=1)[:, None, None] * points.new_tensor([1.0, 0.0])

    source = (POINTS + POINTS.new_tensor([0.5, 0.0])).requires_grad_()
    found = Twice().fit(POINTS, source)
    torch.testing.assert_close(found.sum(dim=1), found.new_full((2,), 0.5), rtol=0, atol=1e-12)
    (slope,) = torch.autograd.grad(found[:, 0].sum(), source)
    expected = torch.zeros_like(slope)
    expected[..., 0] = 0.5 / 30
    torch.testing.assert_close(slope, expected, rtol=0, atol=1e-12)


@pytest.mark.no_jaxtyping
def test_points_that_leave_an_entry_open_are_refused():
    center = torch.zeros(1, 5, 2, dtype=torch.float64)
    with pytest.raises(InputError, match=r"^Swirl.fit: expected .* got 5 of positive weight .* 1 of its 2 degr"):
        SWIRL.fit(center, center)


@pytest.mark.no_jaxtyping
def test_points_without_a_nearest_map_are_refused():
    class Growing(Swirl):
        """p + tanh(θ): no θ shifts by 2, and each is nearer than the one before."""

        n_params = 1

        def identity(self):
            return torch.zeros(1, dtype=torch.float64)

        def forward(self, theta, points):
            return points + theta.tanh()[..., None]

    with pytest.raises(InputError, match=r"^Growing.fit: expected points "):
        Growing().fit(POINTS, POINTS + 2)


def test_a_row_of_more_cells_than_points_read_is_refused():
    # 20 points reach at most 40 of the 64 cells of a row, which a lattice of 16 × 16 points would not tell apart.
    family = stnkit.build("transform", "displacement", resolution=[1, 64])
    points = random_points(family, batch=1, n=20)
    with pytest.raises(InputError, match="from which 40 of its 128 degrees of freedom follow"):
        family.fit(points, points)
