"""`TrainedRun.rectify`: what the network straightens, at the full resolution of the image."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

import stnkit
from stnkit.errors import InputError

FAMILIES = ["affine", "projective", "tps", "displacement"]
# (top, left, height, width) of the part of 300×700 pixels that fits 24×32; padded, 300 rows become 14.
FRAMES = {"stretch": (0, 0, 300, 700), "crop": (0, 150, 300, 400), "pad": (-5 * 300 / 14, 0, 24 * 300 / 14, 700)}


def smooth(*shape, seed=0):
    """An image without edges, on which readings at two resolutions agree."""
    coarse = torch.rand(1, shape[0], 3, 4, generator=torch.Generator().manual_seed(seed))
    return F.interpolate(coarse, shape[1:], mode="bicubic", align_corners=False)[0].clamp(0, 1)


@pytest.mark.parametrize("transform", FAMILIES)
def test_an_image_of_the_trained_size_is_what_the_network_sees(transform, make_run):
    run, image = make_run(transform={"name": transform}), smooth(3, 24, 32)
    found = run.rectify(image)
    with torch.no_grad():
        logits = run.network(image[None])[0]
        assert torch.equal(found.image, run.network.transformer(image[None])[0])
        assert torch.equal(found.theta, run.network.transformer.localize(image[None])[0])
    assert found.prediction == int(logits.argmax())
    assert found.score == pytest.approx(float(logits.softmax(0).max()), abs=1e-6)


@pytest.mark.parametrize("transform", FAMILIES)
@pytest.mark.parametrize("fit", FRAMES)
def test_a_large_image_is_read_in_the_frame_of_the_training(transform, fit, make_run, tmp_path):
    run = make_run(transform={"name": transform}, fit=fit)
    image = (smooth(3, 300, 700) * 255).round().byte()
    full = run.rectify(image)
    assert full.image.shape == (3, *map(round, FRAMES[fit][2:]))
    # The oracle: the file as the dataset `folder` reads it, through the network.
    Image.fromarray(image.movedim(0, -1).numpy()).save(tmp_path / "image.png")
    small = torch.from_numpy(run.data.dataset.images.decoding.decode(tmp_path / "image.png").copy())[None] / 255
    with torch.no_grad():
        assert torch.equal(full.theta, run.network.transformer.localize(small)[0])
        expected = run.network.transformer(small)[0]
    reduced = F.interpolate(full.image[None] / 255, (24, 32), mode="area")[0]
    x, y = run.network.transformer.family.grid(full.theta[None], (24, 32))[0].abs().unbind(-1)
    inside = (x < 0.8) & (y < (0.4 if fit == "pad" else 0.8))
    assert inside.sum() > 100
    assert (reduced - expected).abs().amax(dim=0)[inside].max() < 0.04


@pytest.mark.parametrize("fit", FRAMES)
@pytest.mark.parametrize("transform", ["affine", "projective", "compose"])
def test_the_pixel_matrix_contains_the_frame(transform, fit, make_run):
    stages = {"stages": ["projective", "rotation"]} if transform == "compose" else {}
    run = make_run(transform={"name": transform, **stages}, fit=fit)
    found = run.rectify(smooth(3, 300, 700), size=(50, 90))
    points = torch.tensor([[-0.9, -0.7], [0.2, 0.4], [0.8, -0.3]], dtype=torch.float64)
    source = run.network.transformer.family(found.theta[None].double(), points[None])[0].detach().numpy()
    top, left, height, width = FRAMES[fit]
    expected = np.stack([left + (source[:, 0] + 1) / 2 * width, top + (source[:, 1] + 1) / 2 * height], axis=-1)
    edges = ((points.numpy() + 1) / 2) * [90, 50]

    def through(matrix, at):
        x, y, w = matrix.numpy() @ np.column_stack([at, np.ones(3)]).T
        return np.stack([x / w, y / w], axis=-1)

    np.testing.assert_allclose(through(found.matrices["matrix_pillow"], edges), expected, atol=1e-3)
    np.testing.assert_allclose(through(found.matrices["matrix_opencv_inverse"], edges - 0.5), expected - 0.5, atol=1e-3)
    np.testing.assert_allclose(through(found.matrices["matrix_opencv"], expected - 0.5), edges - 0.5, atol=1e-3)


def test_a_recurrent_transformer_is_its_composed_map(make_run):
    run = make_run(placement={"recurrent": 3})
    image = smooth(3, 24, 32)
    assert torch.equal(run.rectify(image).image, run.network.transformer(image[None])[0])
    assert run.rectify(image, scale=2).image.shape == (3, 48, 64)


def test_parallel_transformers_are_taken_by_number(make_run):
    run = make_run(placement={"parallel": 2})
    image = smooth(3, 24, 32)
    with torch.no_grad():
        first, second = run.network.transformer(image[None])[0].split(3)
    assert torch.equal(run.rectify(image).image, first)
    assert torch.equal(run.rectify(image, number=1).image, second)
    with pytest.raises(InputError, match="number: expected a transformer from 0 to 1, got 2"):
        run.rectify(image, number=2)


def test_bytes_stay_bytes_and_are_rounded(make_run):
    run = make_run(sampler={"name": "bicubic"})
    image = torch.randint(0, 256, (3, 60, 80), dtype=torch.uint8)
    found = run.rectify(image)
    grid = run.network.transformer.family.grid(found.theta[None], (60, 80))
    exact = 255 * stnkit.build("sampler", "bicubic")(image[None] / 255, grid)[0]
    assert found.image.dtype == torch.uint8
    assert (found.image - exact.clamp(0, 255)).abs().max() <= 0.5001


def test_gray_images_go_through_a_run_on_color_and_back(make_run):
    gray = smooth(1, 60, 80)
    assert make_run().rectify(gray).image.shape == (1, 60, 80)
    color = gray.expand(3, -1, -1)
    on_gray = make_run(in_shape=(1, 24, 32))
    assert torch.allclose(on_gray.rectify(color).theta, on_gray.rectify(gray).theta, atol=1e-5)
    assert on_gray.rectify(color).image.shape == (3, 60, 80)


def test_volumes_are_rectified(make_run):
    run = make_run(in_shape=(1, 8, 8, 8), transform={"name": "affine", "ndim": 3}, network="none")
    assert run.rectify(torch.rand(1, 8, 8, 8)).prediction is None
    image = torch.rand(1, 8, 8, 8)
    assert torch.equal(run.rectify(image).image, run.network.transformer(image[None])[0])
    assert run.rectify(torch.rand(1, 16, 20, 24), scale=0.5).image.shape == (1, 8, 10, 12)


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("size", "told"), [((0, 4, 4), "0 4 4"), (8, "8"), ((4.0, 4, 4), r"\(4.0, 4, 4\)"), ((9, 11), "9 11")]
)
def test_a_size_that_is_none_of_a_volume_names_its_axes(size, told, make_run):
    run = make_run(in_shape=(1, 8, 8, 8), transform={"name": "affine", "ndim": 3}, network="none")
    with pytest.raises(InputError, match=f"^size: expected D H W, each from 1 to 65535, got {told}$"):
        run.rectify(torch.rand(1, 8, 8, 8), size=size)


@pytest.mark.parametrize("padding", ["zeros", "border", "fill"])
def test_the_share_outside_is_the_share_of_padding(padding, make_run):
    run = make_run(scale=1.0, transform={"name": "translation"})
    found = run.rectify(torch.ones(3, 60, 80), sampler="nearest", padding=padding)
    shown = run.rectify(torch.ones(3, 60, 80), sampler="nearest", padding="zeros").image[0]
    assert 0.02 < found.outside < 1
    assert found.outside == pytest.approx(float((shown == 0).float().mean()), abs=1e-6)
    assert found.folds == 0


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("image", "options", "message"),
    [
        (torch.zeros(2, 9, 9), {}, r"expected an image of shape \(C, \*size\) with 3 channels .* got \(2, 9, 9\)"),
        (torch.zeros(9, 9), {}, r"got \(9, 9\)"),
        (
            torch.zeros(3, 9, 9, dtype=torch.int64),
            {},
            "image: expected uint8 or floating-point numbers, got torch.int64",
        ),
        (torch.full((3, 9, 9), torch.nan), {}, "image: expected finite values, got NaN or infinity"),
        (torch.zeros(3, 0, 9), {}, r"expected at least one pixel, got shape \(3, 0, 9\)"),
        (torch.zeros(3, 9, 9), {"size": (0, 5)}, "size: expected H W, each from 1 to 65535, got 0 5"),
        (torch.zeros(3, 9, 9), {"size": (5, 5, 5)}, "size: expected H W, each from 1 to 65535, got 5 5 5"),
        (torch.zeros(3, 9, 9), {"scale": -1.0}, "scale: expected a number above 0, got -1"),
        (torch.zeros(3, 9, 9), {"size": 5}, "size: expected H W, each from 1 to 65535, got 5"),
        (torch.zeros(3, 9, 9), {"size": (3.5, 2)}, r"size: expected H W, each from 1 to 65535, got \(3.5, 2\)"),
        (torch.zeros(3, 9, 9), {"scale": "x"}, "scale: expected a number above 0, got 'x'"),
        (torch.zeros(3, 9, 9), {"number": "a"}, "number: expected a transformer from 0 to 0, got 'a'"),
        (torch.zeros(3, 9, 9), {"scale": 2.0, "size": (4, 4)}, "expected a size or a scale"),
        (torch.zeros(3, 9, 9), {"sampler": "linear"}, "there is no sampler 'linear'"),
        (torch.zeros(3, 9, 9), {"sampler": 5}, "sampler: expected a name, or a mapping with options, got 5"),
        (torch.zeros(3, 9, 9), {"scale": 1e9}, r"scale: expected at most 65535, got 1e\+09"),
        (None, {}, "image: expected a tensor, got NoneType"),
        (torch.zeros(3, 9, 9), {"padding": 5}, "padding: expected one of zeros, .* got 5"),
        (torch.zeros(3, 9, 9), {"padding": "black"}, "padding: expected one of zeros, .* got 'black'"),
    ],
)
def test_what_cannot_be_rectified_is_one_sentence(image, options, message, make_run):
    with pytest.raises(InputError, match=message):
        make_run().rectify(image, **options)


@pytest.mark.parametrize("size", [[20, 30], torch.Size([20, 30]), np.array([20, 30]), torch.tensor([20, 30])])
def test_a_size_is_any_list_of_whole_numbers(size, make_run):
    assert make_run().rectify(torch.zeros(3, 9, 9), size=size).image.shape == (3, 20, 30)


@pytest.mark.parametrize("size", [np.array(20), np.array([20.0, 30.0]), torch.zeros(2), np.array([[20, 30]])])
def test_an_array_that_is_no_size_is_refused(size, make_run):
    with pytest.raises(InputError, match=r"^size: expected H W, each from 1 to 65535, got "):
        make_run().rectify(torch.zeros(3, 9, 9), size=size)


@pytest.mark.parametrize(
    ("options", "told"),
    [({}, "1×70000: choose a size"), ({"scale": 2.0}, "2×140000: choose a smaller scale")],
)
def test_too_long_an_image_is_told_without_a_size(options, told, make_run):
    with pytest.raises(InputError, match=f"^expected a result of at most 65535 pixels a side, got {told}$"):
        make_run().rectify(torch.zeros(3, 1, 70_000), **options)
    assert make_run().rectify(torch.zeros(3, 1, 70_000), scale=0.01).image.shape == (3, 1, 700)


@pytest.mark.parametrize(
    ("placement", "in_shape", "message"),
    [
        ({"at": []}, (3, 24, 32), r"a transformer at the input, got placement.at=\[\]"),
        ({"pair": True}, (2, 24, 32), "got one that registers pairs of them"),
    ],
)
def test_a_run_that_rectifies_no_image_is_refused(placement, in_shape, message, make_run):
    with pytest.raises(InputError, match=message):
        make_run(in_shape=in_shape, placement=placement).rectify(torch.zeros(in_shape))


@pytest.mark.slow
def test_a_much_larger_image_is_seen_as_the_dataset_reads_it(make_run, tmp_path):
    run = make_run()
    image = (smooth(3, 2400, 3200) * 255).round().byte()
    Image.fromarray(image.movedim(0, -1).numpy()).save(tmp_path / "image.png", compress_level=0)
    expected = torch.from_numpy(run.data.dataset.images.decoding.decode(tmp_path / "image.png").copy()) / 255
    seen, _ = run.rectifier().view.of_tensor(image)
    assert (seen - expected).abs().max() <= 1.01 / 255
