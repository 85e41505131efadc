import math

import pytest
import torch

import stnkit
from stnkit.families import newton


class Swirl(stnkit.TransformFamily):
    """Turn by an angle that falls off with the radius."""

    n_params = 1

    def identity(self):
        return torch.zeros(1, dtype=torch.float64)

    def forward(self, theta, points):
        angle = theta[:, None, :1] * torch.exp(-2 * points.square().sum(dim=-1, keepdim=True))
        x, y = points[..., :1], points[..., 1:]
        return torch.cat([angle.cos() * x - angle.sin() * y, angle.sin() * x + angle.cos() * y], dim=-1)


class Power(stnkit.TransformFamily):
    """x ↦ θ x² and y ↦ y: folded at x = 0."""

    n_params = 1

    def identity(self):
        return torch.ones(1, dtype=torch.float64)

    def forward(self, theta, points):
        return torch.stack([theta[:, :1] * points[..., 0].square(), points[..., 1].expand(len(theta), -1)], dim=-1)


class Wave(stnkit.TransformFamily):
    """p ↦ sin(θ p): a solution on the image, and any number of them outside."""

    n_params = 1

    def identity(self):
        return torch.ones(1, dtype=torch.float64)

    def forward(self, theta, points):
        return torch.sin(theta[:, None] * points)


class Saturation(stnkit.TransformFamily):
    """p ↦ tanh(θ p): nothing beyond ±1 has a target."""

    n_params = 1

    def identity(self):
        return torch.ones(1, dtype=torch.float64)

    def forward(self, theta, points):
        return torch.tanh(theta[:, None] * points)


class Constant(stnkit.TransformFamily):
    """Every point to θ."""

    n_params = 2

    def identity(self):
        return torch.zeros(2, dtype=torch.float64)

    def forward(self, theta, points):
        return theta[:, None].expand(-1, points.shape[1], -1)


class Counter:
    """How many points a family was evaluated at."""

    def __init__(self, family):
        self.points = 0
        family.register_forward_hook(self)

    def __call__(self, module, inputs, output):
        self.points += output.shape[0] * output.shape[1]


def rand(*shape, seed=0):
    return 2 * torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) - 1


def smallest_determinant(family, theta, n=41):
    """The smallest determinant of the Jacobian on a lattice over the image."""
    points = stnkit.coordinates.lattice((n,) * family.ndim, dtype=torch.float64).view(1, -1, family.ndim)
    points = points.expand(len(theta), -1, -1).clone().requires_grad_()
    source = family(theta, points)
    rows = [torch.autograd.grad(source[..., d].sum(), points, retain_graph=True)[0] for d in range(family.ndim)]
    return torch.linalg.det(torch.stack(rows, dim=-2)).amin(dim=1)


def unfolded(family, spread, n=5, seed=0):
    """n random θ that do not fold on the image."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(10 * n, family.n_params, dtype=torch.float64, generator=generator)
    theta = family.identity() + spread * noise
    theta = theta[smallest_determinant(family, theta) > 0.1][:n]
    assert len(theta) == n
    return theta


SPLINES = [([4, 4], 0.15), ([8, 8], 0.05)]


@pytest.mark.slow
@pytest.mark.parametrize(("shape", "spread"), SPLINES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-4)])
def test_inverse_undoes_forward_of_an_unfolded_spline(shape, spread, dtype, tolerance):
    family = stnkit.build("transform", "tps", control_points=shape)
    theta = unfolded(family, spread).to(dtype)
    points = torch.cat([rand(200, 2), family.control_points])[None].to(dtype)
    back = family.inverse(theta, family(theta, points))
    assert back.dtype == dtype
    assert (back - points).abs().max() <= tolerance


def test_round_trip_of_an_unfolded_spline_in_three_dimensions():
    family = stnkit.build("transform", "tps", control_points=[3, 3, 3], ndim=3)
    theta = family.identity() + 0.05 * rand(3, family.n_params)
    points = torch.cat([rand(50, 3), family.control_points])[None]
    assert (family.inverse(theta, family(theta, points)) - points).abs().max() <= 1e-9


@pytest.mark.parametrize(("degrees", "scale"), [(180, 1.0), (90, 0.1), (120, 3.0)])
def test_round_trip_far_from_the_identity(degrees, scale):
    family = stnkit.build("transform", "tps")
    theta = unfolded(family, 0.1)
    a = math.radians(degrees)
    turn = scale * torch.tensor([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]], dtype=torch.float64)
    moved = torch.tensor([[0.7], [-2.0]], dtype=torch.float64)
    theta = (turn @ theta.view(5, 2, -1) + moved).flatten(start_dim=1)
    points = rand(1, 200, 2)
    assert (family.inverse(theta, family(theta, points)) - points).abs().max() <= 1e-9


@pytest.mark.slow
@pytest.mark.parametrize(("shape", "spread"), SPLINES)
def test_a_point_takes_a_handful_of_evaluations(shape, spread):
    family = stnkit.build("transform", "tps", control_points=shape)
    theta = unfolded(family, spread)
    source = family(theta, rand(1, 500, 2))
    counter = Counter(family)
    family.inverse(theta, source)
    assert counter.points <= 8 * len(theta) * 500


def test_points_that_are_done_are_not_evaluated_again():
    family = stnkit.build("transform", "tps")
    theta = torch.cat([family.identity()[None]] * 9 + [unfolded(family, 0.15, n=1)])
    source = family(theta, rand(1, 100, 2))
    counter = Counter(family)
    family.inverse(theta, source)
    # One evaluation for each point of the nine identities, some for those of the tenth.
    assert counter.points <= 900 + 8 * 100


@pytest.mark.slow
def test_a_folded_spline_loses_few_points_and_gets_none_wrong():
    family = stnkit.build("transform", "tps")
    theta = family.identity() + 0.7 * rand(5, 32)
    assert (smallest_determinant(family, theta) < 0).all()
    source = family(theta, rand(1, 400, 2, seed=1))
    back = family.inverse(theta, source)
    found = back.isfinite().all(dim=-1)
    assert found.double().mean() > 0.99
    assert (family(theta, back.nan_to_num()) - source)[found].abs().max() <= 1e-8


def test_of_several_solutions_one_on_the_image_is_preferred():
    family = Wave()
    theta = torch.tensor([[4.0]], dtype=torch.float64)
    source = torch.linspace(-0.99, 0.99, 101, dtype=torch.float64)[None, :, None].expand(-1, -1, 2)
    back = family.inverse(theta, source)
    assert (family(theta, back) - source).abs().max() <= 1e-8
    assert back.abs().max() <= 1


def test_nan_where_there_is_no_solution_and_no_wrong_answers():
    family = Saturation()
    theta = torch.tensor([[1.0], [3.0]], dtype=torch.float64)
    source = 1.5 * rand(1, 300, 2)
    back = family.inverse(theta, source)
    reachable = (source.abs() < 1).all(dim=-1).expand(2, -1)
    assert back[~reachable].isnan().all()
    expected = torch.atanh(source.clamp(-0.999999, 0.999999)) / theta[:, None]
    inner = (source.abs() < 0.99).all(dim=-1).expand(2, -1)
    assert (back - expected)[inner].abs().max() <= 1e-6


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_nonfinite_points_and_theta_give_nan_and_harm_no_other(value):
    family = stnkit.build("transform", "tps")
    theta = unfolded(family, 0.1, n=2)
    points = rand(2, 20, 2)
    source = family(theta, points)
    source[0, 3, 1] = value
    back = family.inverse(theta, source)
    assert back[0, 3].isnan().all()
    back[0, 3] = points[0, 3]
    assert (back - points).abs().max() <= 1e-9
    broken = theta.clone()
    broken[1, 5] = value
    back = family.inverse(broken, family(theta, points))
    assert back[1].isnan().all()
    assert (back[0] - points[0]).abs().max() <= 1e-9


def test_a_map_that_ignores_its_points_has_no_inverse():
    family = Constant()
    theta = torch.tensor([[0.5, 0.5]], dtype=torch.float64)
    assert family.inverse(theta, rand(1, 5, 2)).isnan().all()


def test_empty_batches_and_point_sets():
    family = Swirl()
    assert family.inverse(torch.zeros(1, 1), torch.zeros(1, 0, 2)).shape == (1, 0, 2)
    assert family.inverse(torch.zeros(0, 1), torch.zeros(1, 4, 2)).shape == (0, 4, 2)


def test_chunks_give_what_all_points_together_give(monkeypatch):
    family, theta = Swirl(), torch.tensor([[1.0], [-0.7]], dtype=torch.float64)
    source = rand(1, 50, 2)
    together = family.inverse(theta, source)
    monkeypatch.setattr(newton, "CHUNK_POINTS", 7)
    assert torch.equal(family.inverse(theta, source), together)


@pytest.mark.no_jaxtyping  # many evaluations of one shape
@pytest.mark.slow
def test_gradient_is_that_of_the_implicit_function():
    family = Swirl()
    theta = torch.tensor([[0.8], [-0.5]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(family.inverse, (theta, rand(2, 6, 2).requires_grad_()))
    spline = stnkit.build("transform", "tps", control_points=[3, 3])
    theta = unfolded(spline, 0.1, n=2).requires_grad_()
    shared = (0.9 * torch.cat([rand(4, 2), spline.control_points[:3]])[None]).requires_grad_()
    assert torch.autograd.gradcheck(spline.inverse, (theta, shared))


def test_gradient_is_finite_at_folds_and_without_a_solution():
    family = Power()
    theta = torch.tensor([[2.0]], dtype=torch.float64, requires_grad=True)
    source = torch.tensor([[[-0.5, 0.0], [0.0, 0.3], [0.5, 0.3]]], dtype=torch.float64, requires_grad=True)
    back = family.inverse(theta, source)
    back.nan_to_num().sum().backward()
    assert theta.grad.isfinite().all()
    assert source.grad.isfinite().all()
    assert source.grad[0, 0].eq(0).all()
    assert back[0, 0].isnan().all()


def test_second_derivative_is_finite_at_folds_and_without_a_root():
    theta = torch.tensor([[2.0]], dtype=torch.float64, requires_grad=True)
    source = torch.tensor([[[-0.5, 0.0], [0.0, 0.3], [0.5, 0.3]]], dtype=torch.float64, requires_grad=True)
    back = Power().inverse(theta, source).nan_to_num()[..., 0].sum()
    (first,) = torch.autograd.grad(back, theta, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), theta)
    # Those of √(q/θ) at q = ½ and θ = 2, by which alone the sum moves: −√q θ^(−3/2) / 2 and 3 √q θ^(−5/2) / 4.
    assert first.abs().item() == pytest.approx(0.5**0.5 * 2**-1.5 / 2)
    assert second.abs().item() == pytest.approx(3 * 0.5**0.5 * 2**-2.5 / 4)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_works_where_gradients_are_off(mode):
    family = Swirl()
    with mode():
        theta, points = torch.tensor([[0.6]], dtype=torch.float64), rand(1, 10, 2)
        back = family.inverse(theta, family(theta, points))
    assert not back.requires_grad
    assert (back - points).abs().max() <= 1e-9
