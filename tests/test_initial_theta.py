"""`transform_init`: the θ that training starts from, by numbers or as a window."""

import copy
import math
import pickle

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import stnkit
from stnkit.experiments.placement import build_network
from stnkit.experiments.run_directory.job_identity import identity_of
from stnkit.initial_theta import initial_theta
from tests.helpers import COMPONENTS

WINDOW = {"zoom": 2, "center": [0.25, -0.125]}
THETA = [0.5, 0.0, 0.25, 0.0, 0.5, -0.125]


def transformer(init, transform="affine", **options):
    localizer = stnkit.build("localizer", "fully_connected", in_shape=(1, 8, 8))
    family, sampler = stnkit.build("transform", transform), stnkit.build("sampler", "bilinear")
    return stnkit.SpatialTransformer(localizer, family, sampler, transform_init=init, **options)


@pytest.mark.parametrize(
    "init",
    [
        THETA,
        tuple(THETA),
        torch.tensor(THETA),
        np.array(THETA),
        pytest.param([*np.float32(THETA)], marks=pytest.mark.no_jaxtyping),
        WINDOW,
    ],
)
def test_the_first_output_is_that_of_torch_with_this_theta(init):
    image = torch.rand(2, 1, 8, 8)
    grid = F.affine_grid(torch.tensor(THETA).view(1, 2, 3).repeat(2, 1, 1), image.shape, align_corners=False)
    expected = F.grid_sample(image, grid, align_corners=False)
    module = transformer(init)
    torch.testing.assert_close(module(image), expected)
    assert torch.equal(module.localize(image), torch.tensor(THETA).expand(2, 6))


SHOWN = [
    *((name, {}) for name in ("affine", "attention", "bspline", "compose", "homography4", "piecewise_affine")),
    *((name, {}) for name in ("projective", "similarity", "tps", "velocity")),
    # More control points along an axis than the window has points at the least, and more than 256 parameters.
    ("bspline", {"control_points": [4, 28]}),
    ("piecewise_affine", {"control_points": [2, 60]}),
    ("bspline", {"control_points": [16, 16]}),
    ("bounded", {"inner": "affine"}),
]


@pytest.mark.parametrize(("name", "options"), SHOWN)
def test_a_window_is_shown_by_every_family_that_can(name, options):
    family = stnkit.build("transform", name, **options)
    points = 2 * torch.rand(1, 50, 2, dtype=torch.float64) - 1
    theta = initial_theta(family, WINDOW)
    expected = points / 2 + torch.tensor([0.25, -0.125])
    torch.testing.assert_close(family(theta[None], points), expected, atol=1e-6, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("window", [WINDOW, {"zoom": 1.0}])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("tps", {"control_points": [[0.02 * x, 0.04 * y] for x in range(-5, 5) for y in range(-3, 3)]}),
        ("compose", {"stages": ["affine", {"name": "tps", "control_points": [16, 16]}]}),
    ],
    ids=["clustered", "of a fine spline"],
)
def test_a_window_is_shown_where_few_points_do_not_determine_it(name, options, window):
    family = stnkit.build("transform", name, **options)
    points = 2 * torch.rand(1, 50, 2, dtype=torch.float64) - 1
    theta = initial_theta(family, window)
    expected = points / window["zoom"] + torch.tensor(window.get("center", [0.0, 0.0]))
    torch.testing.assert_close(family(theta[None], points), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["rotation", "euclidean", "scale", "shear", "translation", "displacement"])
def test_a_family_that_cannot_show_a_window_says_so(name):
    family = stnkit.build("transform", name)
    with pytest.raises(
        stnkit.errors.InputError, match=rf"expected a window that {type(family).__name__} can show, got"
    ):
        initial_theta(family, WINDOW)


def test_a_window_of_three_dimensions_has_three_coordinates():
    theta = initial_theta(stnkit.build("transform", "affine", ndim=3), {"center": [0.1, 0.2, 0.3]})
    assert theta.view(3, 4).tolist() == [[1, 0, 0, 0.1], [0, 1, 0, 0.2], [0, 0, 1, 0.3]]
    for name, scales in (("attention", 1), ("similarity", 4)):
        family = stnkit.build("transform", name, ndim=3)
        theta = initial_theta(family, {"zoom": 2, "center": [0.1, 0.2, 0.3]})
        assert theta.tolist() == pytest.approx([0] * (scales - 1) + [-math.log(2), 0.1, 0.2, 0.3])


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("init", "message"),
    [
        ([1, 0, 0], "expected 6 finite numbers, the θ of Affine, got 3"),
        ([1, 0, 0, 0, 1, float("nan")], "expected 6 finite numbers, the θ of Affine, got [1, 0, 0, 0, 1, nan]"),
        ("identity", "expected numbers, or a mapping with zoom and center, got 'identity'"),
        (7, "expected numbers, or a mapping with zoom and center, got 7"),
        ([1e300, 0, 0, 0, 1, 0], "expected numbers whose θ is finite in float32, got [1e+300, 0, 0, 0, 1, 0]"),
        ({"zoom": 1e-300}, "expected a window whose θ is finite in float32, got {'zoom': 1e-300}"),
        ({"center": [0, 1e39]}, "expected a window whose θ is finite in float32, got {'center': [0, 1e+39]}"),
        ({"zoom": 0}, "zoom: expected a finite number above 0, got 0"),
        ({"center": [1]}, "center: expected 2 finite numbers, got [1]"),
        ({"zom": 2}, "expected a mapping with zoom and center, got 'zom'"),
    ],
)
def test_what_is_no_theta_of_the_family_is_one_sentence(init, message):
    with pytest.raises(stnkit.errors.InputError) as caught:
        transformer(init)
    assert str(caught.value) == f"transform_init: {message}"


def test_a_start_is_not_repeated_by_recurrent_steps():
    with pytest.raises(stnkit.errors.InputError, match=r"recurrent: expected 1 with transform_init, .* got 2"):
        transformer(WINDOW, recurrent=2)


def test_a_head_returns_to_its_start_and_loads_another():
    head = transformer(WINDOW).head
    saved = copy.deepcopy(transformer(None).head.state_dict())
    with torch.no_grad():
        head.offset.add_(3)
    head.reset_parameters()
    pickled = pickle.loads(pickle.dumps(head))
    pickled.reset_parameters()
    features = torch.rand(1, head.weight.shape[1])
    assert head(features).tolist() == pickled(features).tolist() == [THETA]
    head.load_state_dict(saved)
    assert head(features).tolist() == [[1, 0, 0, 0, 1, 0]]
    with torch.device("meta"):
        assert transformer(WINDOW).head.offset.is_meta


def test_a_config_starts_each_insertion_point_and_parallel_one():
    left, right = [0.5, 0, -0.5, 0, 0.5, 0], [0.5, 0, 0.5, 0, 0.5, 0]

    def biases(init, **placement):
        config = COMPONENTS | {"transform_init": init, "network": {"name": "paper_cnn"}}
        network = build_network(config, in_shape=(1, 28, 28), n_classes=10, **placement)
        return [(t.head.offset + initial_theta(t.family, [1, 0, 0, 0, 1, 0])).tolist() for t in
                network.transformers().values()]  # fmt: skip

    assert biases(left, at=["input"]) == [left]
    assert biases([left, right], at=["input"], parallel=2) == [left, right]
    assert biases(left, at=["input"], parallel=2) == [left, left]
    parts = {"conv2": {"transform_init": {"zoom": 1, "center": [0.5, 0]}}}
    assert biases(left, at=["input", "conv2"], parts=parts) == [left, [1, 0, 0.5, 0, 1, 0]]
    with pytest.raises(stnkit.errors.InputError, match="expected one for each of 3 parallel transformers, got 2"):
        biases([left, right], at=["input"], parallel=3)


@pytest.mark.slow
def test_the_command_line_takes_numbers_and_a_window(stnkit_main):
    code, _, err = stnkit_main("train", "transform_init=[1,2,3]", "hydra.run.dir=run")
    assert code == 2
    assert err.endswith("transform_init: expected 6 finite numbers, the θ of affine, got 3\n")
    code, _, err = stnkit_main("train", "transform=rotation", "transform_init={zoom:2}", "hydra.run.dir=run")
    assert code == 2
    assert err.endswith("transform_init: expected a window that rotation can show, got {'zoom': 2}\n")


@pytest.mark.parametrize("dry", ["true", "false"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["placement=none", "transform_init={zoom:2}"], "for a network without transformers, got {'zoom': 2}"),
        (["init_from=a", "transform_init=[1,0,0,0,1,0]"], "with init_from, whose weights include θ, got [1, 0, "),
        (["init_from=a", "+placement.parts={input:{transform_init:{zoom:2}}}"], "with init_from, whose weights"),
    ],
)
def test_a_start_without_effect_is_refused(options, message, dry, stnkit_main):
    code, _, err = stnkit_main("train", *options, f"dry_run={dry}", "hydra.run.dir=run")
    assert code == 2
    (line,) = err.splitlines()
    assert f"transform_init: expected null {message}" in line


def test_the_start_is_a_part_of_what_a_job_is():
    assert identity_of({"seed": 0, "transform_init": None}) == identity_of({"seed": 0})
    assert identity_of({"seed": 0, "transform_init": THETA}) != identity_of({"seed": 0})
