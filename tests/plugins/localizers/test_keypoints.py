"""`localizer=keypoints`: the soft arg-max of heat maps."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

import stnkit

HEAT = [[0.0, 1.0, 2.0, 0.5], [1.5, -1.0, 0.0, 3.0], [0.25, 0.75, -0.5, 1.0]]
# kornia 0.9.0, in float64: spatial_soft_argmax2d(HEAT[None, None], temperature=KEY, normalized_coordinates=False),
# x and y in pixels of the heat map.
KORNIA = {0.5: [2.7061315436601947, 0.8972356710777462], 2.0: [1.7586490436871214, 0.9177046102135763]}


def built(in_shape=(1, 32, 32), **options):
    return stnkit.build("localizer", "keypoints", in_shape=in_shape, **options).eval()


class Given(torch.nn.Module):
    """Heat maps that are given, whatever the image shows."""

    def __init__(self, heat):
        super().__init__()
        self.heat = heat

    def forward(self, image):
        return self.heat


def points_of(heat, size, stride=4, **options):
    """The points of heat maps (B, K, *size) of an image of `size`."""
    localizer = built((1, *size), points=heat.shape[1], **options)
    assert localizer.stride == stride
    localizer.layers = Given(heat)
    return localizer.points(torch.zeros(len(heat), 1, *size))


@pytest.mark.parametrize("size", [(8, 8), (28, 28), (61, 97), (8, 12, 16), (9, 20, 13)])
def test_key_points_are_inside_of_the_image(size):
    localizer = built((3, *size), points=5)
    image = torch.rand(3, 3, *size)
    points = localizer.points(image)
    assert points.shape == (3, 5, len(size))
    assert bool((points.abs() <= 1).all())
    torch.testing.assert_close(localizer(image), points.flatten(1))


@pytest.mark.slow
@given(st.floats(0.05, 5), st.integers(0, 10**6))
def test_points_are_means_weighted_by_a_softmax(temperature, seed):
    rng = np.random.default_rng(seed)
    heat = rng.normal(size=(2, 3, 5, 7))
    found = points_of(torch.from_numpy(heat), (20, 28), temperature=temperature).numpy()
    weights = softmax(heat.reshape(2, 3, -1) / temperature, axis=-1).reshape(heat.shape)
    y, x = ((2 * np.arange(n) + 1) / n - 1 for n in (5, 7))
    expected = np.stack([(weights * x).sum((2, 3)), (weights * y[:, None]).sum((2, 3))], axis=-1)
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("temperature", KORNIA)
def test_points_are_those_of_kornia(temperature):
    heat = torch.tensor(HEAT, dtype=torch.float64)[None, None]
    found = points_of(heat, (12, 16), temperature=temperature)[0, 0]
    pixels = stnkit.coordinates.to_pixels(found[None], (3, 4))[0]
    torch.testing.assert_close(pixels, torch.tensor(KORNIA[temperature], dtype=torch.float64), atol=1e-12, rtol=0)


@given(st.integers(0, 6), st.integers(0, 8))
def test_the_point_of_a_single_bright_spot_is_its_position(row, column):
    heat = torch.zeros(1, 1, 7, 9)
    heat[0, 0, row, column] = 100.0
    found = points_of(heat, (28, 36))[0, 0]
    expected = torch.tensor([(2 * column + 1) / 9 - 1, (2 * row + 1) / 7 - 1])
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


def test_a_pixel_of_a_map_beyond_the_image_keeps_its_position():
    heat = torch.zeros(1, 2, 8, 8)  # of 30 pixels, four each
    heat[0, 0, 0, 0] = heat[0, 1, 7, 7] = 100.0
    expected = torch.tensor([[1.5, 1.5], [29.5, 29.5]])
    found = stnkit.coordinates.to_pixels(points_of(heat, (30, 30))[0], (30, 30))
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


@pytest.mark.slow
@given(st.integers(-4, 4), st.integers(-4, 4))
def test_an_object_that_moves_takes_its_points_along(right, down):
    torch.manual_seed(0)
    localizer = built((1, 96, 96), temperature=0.005)
    # Heat maps that are high where the image is bright.
    for parameter in localizer.parameters():
        parameter.data.abs_()
    spot = stnkit.coordinates.lattice((96, 96)).mul(12).square().sum(dim=-1).neg().exp()
    moved = spot.roll((4 * down, 4 * right), dims=(0, 1))
    first, second = (localizer.points(image[None, None]) for image in (spot, moved))
    expected = torch.tensor([8 * right, 8 * down]) / 96
    torch.testing.assert_close(second - first, expected.expand_as(first), atol=1e-4, rtol=0)
    torch.testing.assert_close(first, torch.zeros_like(first), atol=0.05, rtol=0)


def test_confidence_is_one_for_a_peak_and_less_for_a_plain():
    localizer = built(points=2, confidence=True)
    heat = torch.zeros(1, 2, 8, 8)
    heat[0, 0, 3, 4] = 100.0
    localizer.layers = Given(heat)
    features = localizer(torch.zeros(1, 1, 32, 32))
    assert localizer.n_features == features.shape[1] == 6
    torch.testing.assert_close(features[0, 4:], torch.tensor([1.0, 1 / 64]))


def test_points_stay_in_full_precision_under_autocast():
    localizer = built()
    localizer.layers = Given(torch.rand(1, 16, 8, 8))
    expected = localizer.points(torch.zeros(1, 1, 32, 32))
    with torch.autocast("cpu", torch.bfloat16):
        found = localizer.points(torch.zeros(1, 1, 32, 32))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("size", [(28, 28), (8, 12, 16), (2, 32, 32)])
def test_the_second_step_of_key_points_reaches_every_parameter(size):
    family = stnkit.build("transform", "affine", ndim=len(size))
    model = stnkit.SpatialTransformer(
        stnkit.build("localizer", "keypoints", in_shape=(1, *size), confidence=True),
        family,
        stnkit.build("sampler", "bilinear"),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    image = torch.rand(4, 1, *size)
    for _ in range(2):
        optimizer.zero_grad()
        (model(image) - image.roll(2, dims=-1)).square().mean().backward()
        optimizer.step()
    assert all(bool(p.grad.any()) for p in model.parameters())
    larger = [n + 5 for n in size]
    assert model.eval()(torch.rand(2, 1, *larger)).shape == (2, 1, *larger)


COLDEST = "temperature: expected a finite number of at least 1e-06"


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("in_shape", "options", "message"),
    [
        ((2, 28), {}, "in_shape: expected (C, H, W) or (C, D, H, W), got [2, 28]"),
        ((2, 28, 28), {"points": 0}, "points: expected at least 1, got 0"),
        ((2, 28, 28), {"channels": []}, "channels: expected one or more widths of at least 1, got []"),
        ((2, 28, 28), {"temperature": 0.0}, f"{COLDEST}, got 0.0"),
        ((2, 28, 28), {"temperature": 1e-45}, f"{COLDEST}, got 1e-45"),
        ((2, 28, 28), {"temperature": float("nan")}, f"{COLDEST}, got nan"),
        (
            (2, 4, 4),
            {},
            "it is too deep for images of 4×4: heat maps behind 3 convolutions have one pixel; use larger images or "
            "fewer channels (now channels=[16, 32, 32])",
        ),
    ],
)
def test_options_of_keypoints_out_of_range_are_refused(in_shape, options, message):
    with pytest.raises(stnkit.errors.InputError) as error:
        built(in_shape, **options)
    assert str(error.value) == f"localizer 'keypoints': {message}"


@pytest.mark.training
def test_a_run_of_keypoints_trains_and_loads(stnkit_main, tmp_path):
    options = ["localizer=keypoints", "localizer.points=6", "localizer.channels=[4,4,4]", "network=paper_fcn"]
    small = ["training.epochs=1", "training.batch_size=256", "training.progress=false", "hydra.run.dir=run"]
    code, _, error = stnkit_main("train", *options, *small)
    assert (code, error) == (0, "")
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["status"] == "completed"
    (found,) = stnkit.load_run(tmp_path / "run").network.transformers().values()
    assert found.localizer.points(torch.rand(2, 1, 28, 28)).shape == (2, 6, 2)
