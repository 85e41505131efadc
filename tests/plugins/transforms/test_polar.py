"""Polar and log-polar coordinates: values of other libraries, closed forms, and turns that become shifts."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import stnkit
from stnkit import coordinates

HEIGHT, WIDTH = 7, 10
PIXEL = 2 / HEIGHT  # in halves of the shorter side
SIZE = (6, 4)
# scikit-image 0.26.0: warp_polar(image, radius=3.0, output_shape=(12, 8), scaling=…)[1::2, 1::2] of `picture()`. Its
# samples are at the upper left edges of our pixels, so every second one of a doubled output is at their centers.
SCIKIT_IMAGE = {
    "linear": [
        [1.133799394256, 1.0066122517, 0.702334740926, 0.130611269956],
        [0.945326853296, 0.621599517689, 0.163590058273, -0.234530522936],
        [0.905289767759, 0.516644642674, 0.123575414013, -0.263560292984],
        [0.960215479055, 0.696361016466, 0.519756025625, 0.471561427687],
        [1.076305229151, 0.982238193768, 0.592406777148, 0.024732731678],
        [1.209852058814, 1.341446908094, 1.454193322938, 1.280289100919],
    ],
    "log": [
        [0.999873628713, 0.879403780699, 0.62783627913, 0.1384760207],
        [0.608040794694, 0.386607902995, 0.095185828617, -0.229411107838],
        [0.504619912034, 0.30655103294, 0.074691898114, -0.257989283673],
        [0.689207688947, 0.577951630828, 0.525649263098, 0.471996360705],
        [0.970697785413, 0.782226791893, 0.534185015126, 0.03273041824],
        [1.345019751176, 1.413237033949, 1.448122712935, 1.282498335167],
    ],
}
# OpenCV 5.0.0: warpPolar(image, (8, 12), (4.5, 3.0), 3.0, INTER_LINEAR + WARP_POLAR_…)[1::2, 1::2], in float32.
OPENCV = {
    "linear": [
        [1.1337994, 1.0066123, 0.7023348, 0.13061121],
        [0.9453268, 0.6215995, 0.16359003, -0.23453051],
        [0.90528977, 0.5166446, 0.123575404, -0.26356027],
        [0.9602155, 0.69636095, 0.519756, 0.4715614],
        [1.0763052, 0.9822382, 0.59240675, 0.024732716],
        [1.209852, 1.3414469, 1.4541934, 1.280289],
    ],
    "log": [
        [1.1111662, 1.144733, 1.0468413, 0.8407578],
        [1.0354953, 0.8919677, 0.7030749, 0.3223321],
        [1.0180914, 0.8409971, 0.5911093, 0.2484614],
        [1.0421709, 0.91050494, 0.7417, 0.54762214],
        [1.0869097, 1.0700299, 1.0478146, 0.72751886],
        [1.138501, 1.2532872, 1.3208054, 1.4365212],
    ],
}
OPTIONS = [
    {},
    {"log": True},
    {"radius": 1.4, "inner_radius": 0.2, "aspect": 1.5},
    {"log": True, "radius": 0.8, "inner_radius": 0.1, "aspect": 0.4},
    {"inner": "similarity", "log": True, "aspect": 2.0},
    {"inner": {"name": "tps", "control_points": [3, 3]}},
]


def polar(**options):
    return stnkit.build("transform", "polar", **options)


def picture():
    i, j = torch.meshgrid(torch.arange(HEIGHT).double(), torch.arange(WIDTH).double(), indexing="ij")
    return (torch.sin(0.7 * i) + 0.5 * torch.cos(0.9 * j + 0.4 * i))[None, None]


def neutral(family, batch=1):
    return family.identity().repeat(batch, 1)


def points_of(n=40, seed=0, reach=1.0):
    return reach * (2 * torch.rand(1, n, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) - 1)


def moved(family, seed=1, spread=0.1, batch=3):
    noise = torch.randn(batch, family.n_params, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return family.identity() + spread * noise


@pytest.mark.parametrize("scaling", SCIKIT_IMAGE)
def test_the_output_is_that_of_scikit_image_at_pixel_centers(scaling):
    family = polar(log=scaling == "log", radius=3 * PIXEL, in_shape=(1, HEIGHT, WIDTH))
    sampler = stnkit.build("sampler", "bilinear")
    found = stnkit.warp(family, neutral(family), picture(), sampler, SIZE)[0, 0]
    expected = torch.tensor(SCIKIT_IMAGE[scaling], dtype=torch.float64)
    torch.testing.assert_close(found, expected, atol=1e-11, rtol=0)


def test_linear_polar_output_is_that_of_opencv_at_pixel_centers():
    family = polar(radius=3 * PIXEL, in_shape=(1, HEIGHT, WIDTH))
    found = stnkit.warp(family, neutral(family), picture(), stnkit.build("sampler", "bilinear"), SIZE)[0, 0]
    torch.testing.assert_close(found.float(), torch.tensor(OPENCV["linear"]), atol=1e-6, rtol=0)


def test_the_log_radius_of_opencv_is_that_less_a_pixel():
    # OpenCV samples r = R^(x / W) − 1, not R^(x / W) as its manual says.
    family = polar(log=True, radius=3 * PIXEL, in_shape=(1, HEIGHT, WIDTH))
    radii = 3 ** ((torch.arange(4, dtype=torch.float64) + 0.5) / 4) - 1
    u = 2 * radii.log() / math.log(3) - 1
    v = coordinates.axis(6, dtype=torch.float64)
    points = torch.stack(torch.meshgrid(u, v, indexing="xy"), dim=-1).view(1, -1, 2)
    grid = family(neutral(family), points).view(1, *SIZE, 2)
    found = stnkit.build("sampler", "bilinear")(picture(), grid)[0, 0]
    torch.testing.assert_close(found.float(), torch.tensor(OPENCV["log"]), atol=1e-6, rtol=0)


@pytest.mark.parametrize(("log", "middle"), [(False, 0.625), (True, 0.5)])
def test_known_points_of_an_image_twice_as_wide(log, middle):
    family = polar(log=log, inner_radius=0.25, aspect=2.0)
    points = torch.tensor([[[-1, -1], [1, -1], [1, -0.5], [1, 0], [1, 0.5], [1, 1], [0, -0.5], [0, -1]]]).double()
    # Right, down, left and up; half of the shorter side is a quarter of the longer one.
    expected = [[0.125, 0], [0.5, 0], [0, 1], [-0.5, 0], [0, -1], [0.5, 0], [0, middle], [middle / 2, 0]]
    found = family(neutral(family), points)[0]
    torch.testing.assert_close(found, torch.tensor(expected).double(), atol=1e-15, rtol=0)


def test_theta_is_that_of_the_inner_family_which_acts_last():
    family, inner = polar(inner="affine", aspect=1.3), stnkit.build("transform", "affine")
    assert family.n_params == inner.n_params
    assert torch.equal(family.identity(), inner.identity())
    theta, points = moved(inner), points_of()
    expected = inner(theta, family(neutral(family), points).expand(3, -1, -1))
    torch.testing.assert_close(family(theta, points), expected, atol=1e-14, rtol=0)
    about = polar()
    center = about(torch.tensor([[0.5, -0.25]]), torch.tensor([[[-1.0, 0.3], [-1.0, -0.7]]]))
    torch.testing.assert_close(center, torch.tensor([[[0.5, -0.25], [0.5, -0.25]]]))


@settings(deadline=None, max_examples=30)
@given(angle=st.floats(-3, 3), log_scale=st.floats(-1, 1), aspect=st.floats(0.3, 3), seed=st.integers(0, 2**31))
def test_a_turn_and_a_scaling_are_shifts_of_log_polar_output(angle, log_scale, aspect, seed):
    family = polar(log=True, inner_radius=0.1, radius=1.2, aspect=aspect)
    similarity, points = stnkit.build("transform", "similarity", aspect=aspect), points_of(seed=seed)
    theta = torch.tensor([[angle, log_scale, 0, 0]], dtype=torch.float64)
    shift = torch.tensor([2 * log_scale / math.log(12), angle / math.pi], dtype=torch.float64)
    turned = similarity(theta, family(neutral(family), points))
    torch.testing.assert_close(family(neutral(family), points + shift), turned, atol=1e-12, rtol=0)


def drawn(points):
    """A smooth picture at points (…, 2)."""
    x, y = points.unbind(dim=-1)
    return torch.exp(-3 * ((x - 0.2).square() + (y + 0.3).square())) + 0.5 * torch.sin(2 * x + y)


def test_a_turned_image_is_rolled_along_the_angle():
    size, rows = (192, 288), 48
    lattice, options = coordinates.lattice(size, dtype=torch.float64), {"in_shape": (1, *size)}
    family, rotation = polar(**options), stnkit.build("transform", "rotation", **options)
    theta = torch.tensor([[2 * math.pi * 7 / rows]], dtype=torch.float64)
    images = torch.stack([drawn(lattice), drawn(rotation(theta, lattice.view(1, -1, 2))).view(size)])[:, None]
    sampler = stnkit.build("sampler", "bilinear", padding="border")
    upright, turned = stnkit.warp(family, neutral(family, 2), images, sampler, (rows, 32))[:, 0]
    # T_θ turns the sampling points clockwise, so the image turns counter-clockwise and its rows move up.
    torch.testing.assert_close(turned, upright.roll(-7, dims=0), atol=2e-4, rtol=0)
    assert (turned - upright).abs().max() > 0.1


def test_an_enlarged_image_is_shifted_along_the_log_radius():
    size, columns = (192, 192), 40
    lattice = coordinates.lattice(size, dtype=torch.float64)
    family = polar(log=True, inner_radius=0.1)
    zoom = 10 ** (6 / columns)  # by 6 of 40 columns between the radii 0.1 and 1
    images = torch.stack([drawn(lattice), drawn(lattice / zoom)])[:, None]
    sampler = stnkit.build("sampler", "bilinear", padding="border")
    before, enlarged = stnkit.warp(family, neutral(family, 2), images, sampler, (32, columns))[:, 0]
    torch.testing.assert_close(enlarged[:, 6:], before[:, :-6], atol=2e-4, rtol=0)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_the_inverse_gives_back_points_of_the_output(options):
    family = polar(**options)
    theta, points = moved(family, spread=0.05), points_of()
    source = family(theta, points)
    found = family.inverse(theta, source)
    torch.testing.assert_close(found, points.expand(3, -1, -1), atol=1e-7, rtol=0)
    torch.testing.assert_close(family(theta, found), source, atol=1e-9, rtol=0)


def test_the_inverse_is_the_radius_and_the_angle():
    places = torch.tensor([[[0.5, 0.0], [0.0, 0.5], [-0.5, -1e-300], [0.0, -2.0], [1.0, 1.0], [0.0, 0.0]]]).double()
    places[0, 4] *= math.sqrt(8)
    expected = torch.tensor([[0, -1], [0, -0.5], [0, 0], [3, 0.5], [7, -0.75], [-1, -1]]).double()
    found = polar().inverse(torch.zeros(1, 2).double(), places)[0]
    torch.testing.assert_close(found, expected, atol=1e-14, rtol=0)
    logarithmic = polar(log=True, inner_radius=0.25)
    found = logarithmic.inverse(torch.zeros(1, 2).double(), places)[0]
    torch.testing.assert_close(found[0], torch.tensor([0.0, -1.0]).double(), atol=1e-14, rtol=0)
    assert found[:5].isfinite().all()
    assert found[5].isnan().all()  # the logarithm of 0


def test_a_place_without_an_inner_inverse_has_none():
    family = polar(inner="affine", log=True)
    theta = torch.cat([neutral(family), torch.zeros(1, 6)]).requires_grad_()
    points = torch.tensor([[[0.0, 0.0], [0.3, 0.1], [torch.nan, 0.0]]]).double()
    found = family.inverse(theta, points)
    assert found[1].isnan().all()
    assert found[0].isnan().any(dim=-1).tolist() == [True, False, True]
    found[0, 1].sum().backward()
    assert theta.grad.isfinite().all()
    assert (theta.grad[0] != 0).any()


@pytest.mark.parametrize("log", [False, True])
def test_the_gradient_of_the_inverse_is_that_of_differences(log):
    family = polar(inner="affine", log=log, aspect=1.5)
    theta, places = moved(family).requires_grad_(), points_of(n=6).requires_grad_()
    assert torch.autograd.gradcheck(family.inverse, (theta, places))


def test_the_gradient_of_the_inverse_is_0_in_the_center():
    family = polar()
    theta, places = torch.zeros(1, 2, dtype=torch.float64), torch.zeros(1, 1, 2, dtype=torch.float64)
    family.inverse(theta.requires_grad_(), places.requires_grad_()).sum().backward()
    assert theta.grad.tolist() == [[0, 0]]
    assert places.grad.tolist() == [[[0, 0]]]


def test_the_derivative_at_radius_0_points_along_the_angle():
    family, points = polar(radius=1.2), torch.tensor([[[-1.0, v] for v in (-1.0, -0.3, 0.8)]]).double()
    found = stnkit.families.jacobian(family, neutral(family), points)[0]
    angle = math.pi * (points[0, :, 1] + 1)
    torch.testing.assert_close(found[..., 0], 0.6 * torch.stack([angle.cos(), angle.sin()], dim=-1))
    assert found[..., 1].tolist() == [[0, 0]] * 3


@pytest.mark.parametrize("log", [False, True])
def test_the_determinant_is_that_of_polar_coordinates(log):
    family = polar(log=log, inner_radius=0.1, radius=1.5, aspect=0.5)
    points = points_of()
    along = (points[0, :, 0] + 1) / 2
    radius = 0.1 * 15**along if log else 0.1 + 1.4 * along
    slope = radius * math.log(15) if log else 1.4
    # r dr dφ, with dr = slope du / 2 and dφ = π dv, in an image twice as high as wide.
    expected = radius * slope / 2 * math.pi / 2
    found = stnkit.jacobian_determinant(family, neutral(family), points)[0]
    torch.testing.assert_close(found, expected)
    assert stnkit.folds(family, neutral(family), (9, 7)).item() == 0


@pytest.mark.parametrize("log", [False, True])
def test_points_far_outside_keep_values_and_gradients_finite(log):
    family, points = polar(log=log), torch.tensor([[[1e30, 0.2], [-1e30, 0.2], [30.0, -7.0]]]).double().requires_grad_()
    source = family(neutral(family), points)
    source.sum().backward()
    assert source.isfinite().all()
    assert points.grad.isfinite().all()


def test_a_native_warp_is_the_composite_one():
    family, image = polar(inner="affine", log=True, in_shape=(2, 40, 56)), torch.rand(3, 2, 40, 56)
    theta, sampler = moved(family).float(), stnkit.build("sampler", "bilinear")
    ours = stnkit.warp(family, theta, image, sampler, (32, 24))
    with stnkit.native.disabled():
        theirs = stnkit.warp(family, theta, image, sampler, (32, 24))
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


def test_a_fresh_transformer_shows_polar_coordinates():
    family, image = polar(log=True, in_shape=(1, 28, 28)), torch.rand(2, 1, 28, 28)
    localizer = stnkit.build("localizer", "convolutional", in_shape=(1, 28, 28))
    sampler = stnkit.build("sampler", "bilinear")
    found = stnkit.SpatialTransformer(localizer, family, sampler)(image)
    torch.testing.assert_close(found, sampler(image, family.grid(neutral(family, 2).float(), (28, 28))))
    assert (found - image).abs().max() > 0.1
