"""A family within a box: the box, the slope, the inner family's maps, and the config."""

import math

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

import stnkit
from stnkit.initial_theta import initial_theta
from stnkit.plugin_system.hydra_configs import component_node
from stnkit.plugin_system.registry import plugin_registry
from tests.helpers import random_points

SPLINE = {"name": "bspline", "control_points": [5, 6]}
VOLUME = {"name": "euclidean", "ndim": 3, "aspect": [3.0, 2.0, 1.0]}
INNERS = [
    "affine",
    "projective",
    "translation",
    "tps",
    SPLINE,
    VOLUME,
    {"name": "compose", "stages": ["affine", SPLINE]},
]
every_inner = pytest.mark.parametrize("inner", INNERS, ids=str)


def bounded(inner="affine", limit=1.0, **images):
    return stnkit.build("transform", "bounded", inner=inner, limit=limit, **images)


def random_change(family, batch=3, scale=0.3):
    generator = torch.Generator().manual_seed(0)
    return scale * torch.randn(batch, family.n_params, generator=generator, dtype=torch.float64)


@every_inner
def test_it_is_the_inner_map_at_the_squashed_theta(inner):
    family, alone = bounded(inner, limit=0.25), stnkit.build("transform", inner)
    change, points = random_change(family), random_points(family)
    theta, phi = alone.identity() + change, alone.identity() + 0.25 * torch.tanh(change / 0.25)
    assert (family.ndim, family.n_params) == (alone.ndim, alone.n_params)
    assert torch.equal(family.identity(), alone.identity())
    size = (3, 4, 5)[-family.ndim :]
    close = {"atol": 1e-12, "rtol": 0}
    torch.testing.assert_close(family(theta, points), alone(phi, points), **close)
    torch.testing.assert_close(family.grid(theta, size), alone.grid(phi, size), **close)
    found, expected = (f.inverse(t, 0.5 * points) for f, t in ((family, theta), (alone, phi)))
    torch.testing.assert_close(found, expected, equal_nan=True, **close)


@every_inner
def test_the_slope_at_the_identity_is_exactly_one(inner):
    family = bounded(inner, limit=0.125)
    theta = family.identity()[None]
    jacobian = torch.func.jacrev(family.inner_theta)(theta)[0, :, 0]
    assert torch.equal(family.inner_theta(theta), theta)
    assert torch.equal(jacobian, torch.eye(family.n_params, dtype=torch.float64))


@settings(deadline=None)
@given(
    entry=st.floats(allow_nan=False),
    other=st.floats(allow_nan=False),
    limit=st.floats(1e-6, 1e6),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
@example(entry=0.0, other=1.1754943508222875e-38, limit=45.0, dtype=torch.float32)
def test_any_theta_is_in_the_box_and_keeps_its_order(entry, other, limit, dtype):
    family = bounded("translation", limit=limit)
    low, high = sorted((entry, other))
    theta = torch.tensor([[low, high]], dtype=torch.float64).to(dtype)
    found = family.inner_theta(theta)
    assert found.dtype == dtype
    assert bool((found.abs() <= torch.tensor(limit, dtype=dtype)).all())
    assert found[0, 0] <= found[0, 1]
    # Below the smallest normal number quotients have few digits.
    assert bool((found.abs() <= theta.abs() * (1 + 1e-6) + torch.finfo(dtype).tiny).all())
    assert bool((found.sign() == theta.sign())[theta.abs() > 1e-30].all())


@every_inner
def test_infinite_theta_is_a_corner_of_the_box_with_gradient_0(inner):
    family = bounded(inner, limit=0.1)
    theta = torch.full((2, family.n_params), torch.inf, dtype=torch.float64)
    theta[1] = -torch.inf
    theta.requires_grad_()
    change = family.inner_theta(theta) - family.identity()
    corners = torch.tensor([[0.1], [-0.1]], dtype=torch.float64)
    torch.testing.assert_close(change, corners.expand_as(change), atol=1e-15, rtol=0)
    source = family(theta, random_points(family, batch=1))
    (gradient,) = torch.autograd.grad(source.sum(), theta)
    assert source.isfinite().all()
    assert not gradient.any()


@every_inner
def test_it_passes_gradcheck_in_theta_and_points(inner):
    family = bounded(inner, limit=0.4)
    theta = (family.identity() + random_change(family, batch=1)).requires_grad_()
    points = random_points(family, batch=1, n=3).requires_grad_()
    assert torch.autograd.gradcheck(family, (theta, points), fast_mode=True)
    assert torch.autograd.gradcheck(lambda theta: family.grid(theta, (2, 3, 2)[-family.ndim :]), theta, fast_mode=True)
    assert torch.autograd.gradgradcheck(family.inner_theta, theta)


def test_an_infinite_limit_is_no_bound_for_its_entry():
    family, alone = bounded("translation", [math.inf, 0.5]), bounded("translation", math.inf)
    theta = torch.tensor([[30.0, 30.0]], dtype=torch.float64, requires_grad=True)
    assert family.inner_theta(theta).tolist() == [[30.0, 0.5]]
    assert torch.equal(alone.inner_theta(theta), theta)
    (gradient,) = torch.autograd.grad(family.inner_theta(theta).sum(), theta)
    assert gradient.tolist() == [[1.0, 0.0]]


@pytest.mark.parametrize("limit", [1e18, 1e38, 1e39, 1e300])
def test_a_huge_limit_is_no_bound_and_has_the_slope_1(limit):
    theta = torch.tensor([[30.0, -0.5]], requires_grad=True)
    found = bounded("translation", limit).inner_theta(theta)
    assert found[0].tolist() == pytest.approx([30.0, -0.5], rel=1e-6)
    (gradient,) = torch.autograd.grad(found.sum(), theta)
    assert gradient.tolist() == [[1.0, 1.0]]


def test_each_entry_has_its_limit_around_its_own_identity():
    family = bounded("affine", [0.5, 0.1, 0.2, 0.1, 0.5, 0.2])
    theta = torch.full((1, 6), 1e6)
    assert family.inner_theta(theta).tolist() == [pytest.approx([1.5, 0.1, 0.2, 0.1, 1.5, 0.2])]


def test_an_affine_map_of_limit_1_never_mirrors_an_axis():
    family = bounded("affine")
    theta = 1e3 * random_change(family, batch=200)
    matrix = family.inner.matrix(family.inner_theta(theta))
    assert (matrix[:, [0, 1], [0, 1]] >= 0).all()


def test_maps_do_not_compose():
    family = bounded("affine")
    theta = family.identity()[None]
    with pytest.raises(stnkit.errors.DoesNotComposeError, match=r"^Bounded does not compose"):
        family.compose(theta, theta)


@pytest.mark.parametrize(("limit", "zoom"), [(1.0, 2.0), (0.55, 2.0), (1.0, 20.0)])
def test_training_can_start_at_a_window_within_the_box(limit, zoom):
    family = bounded("affine", limit)
    theta = initial_theta(family, {"zoom": zoom, "center": [0.25, -0.125]})
    expected = torch.tensor([[1 / zoom, 0, 0.25, 0, 1 / zoom, -0.125]], dtype=torch.float64)
    torch.testing.assert_close(family.inner_theta(theta[None]), expected, atol=1e-6, rtol=0)


@pytest.mark.slow
def test_a_window_outside_of_the_box_is_refused():
    with pytest.raises(stnkit.errors.InputError, match="expected a window that Bounded can show, got"):
        initial_theta(bounded("affine", 0.4), {"zoom": 2})


def test_gradient_descent_from_the_identity_moves_it_to_a_wall():
    family, points = bounded("translation", 0.25), torch.zeros(1, 1, 2)
    theta = family.identity()[None].float().requires_grad_()
    optimizer = torch.optim.Adam([theta], lr=0.05)
    for _ in range(60):
        optimizer.zero_grad()
        (family(theta, points) - torch.tensor([0.1, 3.0])).square().sum().backward()
        optimizer.step()
    assert family(theta, points).flatten().tolist() == pytest.approx([0.1, 0.25], abs=1e-2)


def test_the_inner_family_takes_the_aspect_of_the_images():
    family = bounded("rotation", in_shape=(1, 28, 42))
    assert family.inner.options_from_images == {"aspect": 1.5}


def test_a_pickled_or_moved_family_keeps_its_limits():
    with torch.device("meta"):
        family = bounded("translation", [0.5, 0.25])
    theta = torch.full((1, 2), 1e6)
    assert family.half().inner_theta(theta).tolist() == [[0.5, 0.25]]


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limit": 0.0}, "limit: expected a number of at least 1e-06, or 6 of them, got 0.0"),
        ({"limit": -1.0}, "limit: expected a number of at least 1e-06, or 6 of them, got -1.0"),
        ({"limit": math.nan}, "limit: expected a number of at least 1e-06, or 6 of them, got nan"),
        ({"limit": [1.0, 1.0]}, r"limit: expected a number of at least 1e-06, or 6 of them, got \[1.0, 1.0\]"),
        ({"limit": "wide"}, "limit: expected"),
        ({"inner": "no_such_family"}, "there is no transform 'no_such_family'; the transforms are: affine"),
        ({"inner": {"name": "affine", "dims": 3}}, "transform 'affine' has no option 'dims'"),
        ({"inner": {"option": 3}}, "a name, or a mapping with a name"),
        ({"inner": 3}, "inner: expected"),
    ],
    ids=str,
)
def test_bad_options_are_refused_in_one_sentence(options, message):
    with pytest.raises(stnkit.errors.InputError, match=message) as refused:
        stnkit.build("transform", "bounded", **options)
    assert "\n" not in str(refused.value)


def test_a_config_node_holds_the_inner_name_or_mapping():
    node = OmegaConf.create({"transform": component_node(plugin_registry().component("transform", "bounded"))})
    plain = OmegaConf.to_container(OmegaConf.merge(node, {"transform": {"inner": SPLINE, "limit": math.inf}}))
    family = stnkit.build("transform", plain["transform"])
    assert (family.n_params, family.limit) == (60, math.inf)


def test_it_is_a_chart_around_a_chart_alone():
    assert bounded("polar").is_chart
    assert not bounded("affine").is_chart


def test_the_lattice_of_theta_is_that_of_the_inner_family():
    spline = {"name": "bspline", "control_points": [5, 7]}
    inner, outer = stnkit.build("transform", spline), bounded(spline)
    assert (outer.lattice_shape, outer.lattice_extent) == (inner.lattice_shape, inner.lattice_extent)
    assert bounded("affine").lattice_shape is None
