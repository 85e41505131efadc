"""Families in a row: the order of the stages, their inverses, what lies outside, and the config."""

import math

import hydra
import pytest
import torch
from hydra.core.global_hydra import GlobalHydra
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

import stnkit
from stnkit import coordinates
from stnkit.experiments.run_directory.directories import register_resolvers
from stnkit.experiments.schema import register_schema
from stnkit.plugin_system.hydra_configs import register_component_groups
from stnkit.plugin_system.registry import plugin_registry

SMALL = {"name": "bspline", "control_points": [5, 6]}
FIELD = {"name": "displacement", "resolution": [3, 4]}
STAGES = [
    ["affine"],
    ["affine", SMALL],
    [SMALL, FIELD, "affine"],
    [{"name": "compose", "stages": [FIELD]}, SMALL],
]
STAGES_3D = [{"name": "affine", "ndim": 3}, {"name": "bspline", "ndim": 3, "control_points": [4, 5, 4]}]


def compose(stages):
    return stnkit.build("transform", "compose", stages=stages)


def random_theta(family, batch=3, scale=0.03, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(batch, family.n_params, generator=generator, dtype=torch.float64)
    return (family.identity() + scale * noise).to(dtype)


def random_points(family, batch=3, n=50, dtype=torch.float64, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return (2 * torch.rand(batch, n, family.ndim, generator=generator, dtype=torch.float64) - 1).to(dtype)


def affine_theta(*rows):
    return torch.tensor([rows], dtype=torch.float64)


def test_theta_is_in_stage_order_and_the_last_stage_acts_first():
    affine, bspline = stnkit.build("transform", "affine"), stnkit.build("transform", SMALL)
    family = compose(["affine", SMALL])
    theta, points = random_theta(family), random_points(family)
    assert torch.equal(family.identity(), torch.cat([affine.identity(), bspline.identity()]))
    expected = affine(theta[:, :6], bspline(theta[:, 6:], points))
    torch.testing.assert_close(family(theta, points), expected, atol=1e-14, rtol=0)
    assert (expected - bspline(theta[:, 6:], affine(theta[:, :6], points))).abs().max() > 1e-3


def test_three_affine_stages_are_the_product_of_their_matrices():
    affine, family = stnkit.build("transform", "affine"), compose(["affine", "affine", "affine"])
    theta, points = random_theta(family, scale=0.5), random_points(family)
    first, second, third = theta.split(6, dim=1)
    product = affine.compose(affine.compose(first, second), third)
    torch.testing.assert_close(family(theta, points), affine(product, points), atol=1e-12, rtol=0)
    torch.testing.assert_close(family.grid(theta, (4, 7)), affine.grid(product, (4, 7)), atol=1e-12, rtol=0)
    torch.testing.assert_close(family.inverse(theta, points), affine.inverse(product, points), atol=1e-9, rtol=1e-9)


def test_the_first_stage_is_the_first_to_warp_the_image():
    sampler, affine = stnkit.build("sampler", "bilinear"), stnkit.build("transform", "affine")
    image = torch.rand(1, 1, 6, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    shift = affine_theta(1.0, 0.0, 2 / 8, 0.0, 1.0, 0.0)  # by one pixel: neither loses anything to rounding
    mirror = affine_theta(-1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    size = (6, 8)
    step_by_step = sampler(sampler(image, affine.grid(shift, size)), affine.grid(mirror, size))
    family = compose(["affine", "affine"])
    at_once = sampler(image, family.grid(torch.cat([shift, mirror], dim=1), size))
    torch.testing.assert_close(at_once, step_by_step, atol=1e-12, rtol=0)
    other_order = sampler(image, family.grid(torch.cat([mirror, shift], dim=1), size))
    assert (other_order - step_by_step).abs().max() > 0.1


def test_the_default_is_affine_then_tps():
    if "tps" not in plugin_registry().names("transform"):
        pytest.skip("there is no tps")
    assert [type(stage).__name__ for stage in stnkit.build("transform", "compose").stages] == [
        type(stnkit.build("transform", name)).__name__ for name in ("affine", "tps")
    ]


def test_a_point_without_an_inverse_leaves_the_others_unchanged():
    family = compose(["affine", SMALL])
    theta, points = random_theta(family), random_points(family)
    expected = family.inverse(theta, points)
    points[0, 3] = torch.nan
    theta[2, :6] = 0  # a map that is not invertible
    found = family.inverse(theta, points)
    assert found[0, 3].isnan().all()
    assert found[2].isnan().all()
    expected[0, 3] = torch.nan
    torch.testing.assert_close(found[:2], expected[:2], atol=1e-9, rtol=0, equal_nan=True)


@settings(deadline=None, max_examples=25)
@given(
    stages=st.lists(st.sampled_from(["affine", "bspline", "displacement"]), min_size=1, max_size=4),
    seed=st.integers(0, 2**31),
)
def test_a_composition_is_the_composition_of_its_maps(stages, seed):
    family = compose(stages)
    theta, points = random_theta(family, batch=2, seed=seed), random_points(family, batch=2, seed=seed)
    expected, end = points, family.n_params
    for name in reversed(stages):
        stage = stnkit.build("transform", name)
        expected = stage(theta[:, end - stage.n_params : end], expected)
        end -= stage.n_params
    assert end == 0
    torch.testing.assert_close(family(theta, points), expected, atol=1e-12, rtol=0)


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 2**31))
def test_composition_is_associative(seed):
    flat = compose(["affine", FIELD, SMALL])
    left = compose([{"name": "compose", "stages": ["affine", FIELD]}, SMALL])
    right = compose(["affine", {"name": "compose", "stages": [FIELD, SMALL]}])
    theta, points = random_theta(flat, seed=seed), random_points(flat, seed=seed)
    torch.testing.assert_close(left(theta, points), flat(theta, points), atol=1e-13, rtol=0)
    torch.testing.assert_close(right(theta, points), flat(theta, points), atol=1e-13, rtol=0)


@pytest.mark.parametrize("lost", [math.nan, math.inf, -math.inf, 1e6, -1e30])
@pytest.mark.parametrize("inner", ["affine", "bspline", "displacement"])
def test_points_sent_outside_by_a_stage_stay_outside(inner, lost):
    family = compose(["affine", inner])
    theta = random_theta(family, dtype=torch.float32)
    theta[0, :6] = 0  # takes every point of the plane to the center
    theta[0, [8, 11] if inner == "affine" else slice(6, None)] = lost
    theta.requires_grad_()
    grid = family.grid(theta, (4, 5))
    grid.square().sum().backward()
    assert grid.isfinite().all()
    assert (grid[0].abs() > 1).any(dim=-1).all()
    assert (grid[1:].abs() < 2).all()
    assert theta.grad.isfinite().all()
    lattice = coordinates.lattice((4, 5)).view(1, -1, 2)
    assert (family(theta, lattice)[0].abs() > 1).any(dim=-1).all()


def test_lost_points_leave_gradients_of_later_stages_finite():
    family = compose(["affine", "affine"])
    theta, points = random_theta(family).requires_grad_(), random_points(family)
    points[0, 3], points[1, 4], points[2, 5] = math.nan, math.inf, -1e30
    source = family(theta, points)
    source.square().sum().backward()
    assert source.isfinite().all()
    assert theta.grad[:, :6].isfinite().all()


def test_points_without_an_inverse_leave_its_gradient_finite():
    family = compose(["affine", SMALL])
    theta, points = random_theta(family).requires_grad_(), random_points(family)
    points[0, 3] = torch.nan
    found = family.inverse(theta, points)
    found[found.isfinite()].sum().backward()
    assert theta.grad[:, 6:].isfinite().all()
    assert (theta.grad[:, 6:] != 0).any(dim=1).all()


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ([], "at least one transform, got none"),
        (["affine", {"name": "affine", "ndim": 3}], r"expected one number of dimensions for all, got \[2, 3\]"),
        (["affine", "no_such_family"], "there is no transform 'no_such_family'; the transforms are: affine"),
        ([{"name": "affine", "dims": 3}], "transform 'affine' has no option 'dims'"),
        ([{"name": "bspline", "control_points": [1, 1]}], "transform 'bspline': control_points: expected"),
        ([{"option": 3}], "a name, or a mapping with a name"),
        ([3], "stages: expected"),
        ("affine", "stages: expected"),
    ],
    ids=str,
)
def test_bad_stages_are_refused_in_one_sentence(stages, message):
    with pytest.raises(stnkit.errors.InputError, match=message) as refused:
        compose(stages)
    assert "\n" not in str(refused.value)


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("width", [5, 11, 13])
def test_a_theta_of_the_wrong_width_is_refused(width):
    family = compose(["affine", "affine"])
    theta = torch.zeros(3, width)
    for call in (
        lambda: family.grid(theta, (4, 4)),
        lambda: family(theta, torch.zeros(1, 1, 2)),
        lambda: family.inverse(theta, torch.zeros(1, 1, 2)),
    ):
        with pytest.raises(stnkit.errors.InputError, match=r"Compose: expected theta of shape \(B, 12\)"):
            call()


@pytest.mark.parametrize(
    ("overrides", "n_params"),
    [
        (["transform.stages=[affine,bspline]"], [6, 128]),
        (["transform.stages=[{name:bspline,control_points:[5,5]}]"], [50]),
        (["transform.stages=[affine,{name:displacement,resolution:[2,3]}]"], [6, 12]),
        (["transform.stages=[affine,{name:compose,stages:[bspline,affine]}]"], [6, 134]),
    ],
    ids=str,
)
def test_the_stages_can_be_set_on_the_command_line(overrides, n_params):
    register_schema()
    register_component_groups()
    register_resolvers()
    GlobalHydra.instance().clear()
    with hydra.initialize_config_module("stnkit.conf", version_base="1.3"):
        config = hydra.compose("train", ["transform=compose", *overrides])
    node = OmegaConf.to_container(config.transform, resolve=True, enum_to_str=True)
    family = stnkit.build("transform", node)
    assert [stage.n_params for stage in family.stages] == n_params
