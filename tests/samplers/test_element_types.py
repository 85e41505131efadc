"""Images of integers, booleans and complex numbers."""

import itertools
import warnings

import numpy as np
import pytest
import torch

import stnkit
from tests.samplers.oracles import PADDINGS, indices, padding_options, random_grid, random_image, read
from tests.samplers.test_padding import NAMES

INTEGERS = [
    *(torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
    *(torch.uint16, torch.uint32, torch.uint64, torch.bool),
]
SIZES = [(5, 8), (1, 7), (3, 4, 5)]


def nearest(padding="zeros", fill_value=0):
    return stnkit.build("sampler", "nearest", padding=padding, fill_value=fill_value)


def labels_of(size, dtype, batch=2, channels=2):
    high = 2 if dtype is torch.bool else 100
    return torch.randint(0, high, (batch, channels, *size), generator=torch.Generator().manual_seed(0)).to(dtype)


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("size", SIZES)
def test_labels_are_read_as_numbers_are(size, padding, dtype):
    labels, grid = labels_of(size, dtype), random_grid(len(size), reach=3.0)
    for points in (grid, grid.float()):
        out = nearest(padding, 1)(labels, points)
        assert out.dtype == dtype
        assert torch.equal(out.double(), nearest(padding, 1)(labels.double(), points))


@pytest.mark.parametrize("padding", PADDINGS)
def test_labels_equal_the_pixel_at_the_rounded_index(padding):
    size = (5, 8)
    labels, grid = labels_of(size, torch.int64), random_grid(2, reach=3.0)
    out = nearest(padding, 7)(labels, grid)
    for b, c in itertools.product(range(2), range(2)):
        axes = [np.rint(axis).astype(int) for axis in indices(grid[b], size)]
        for place in np.ndindex(*grid.shape[1:-1]):
            pixel = read(labels[b, c].numpy(), [axis[place] for axis in axes], padding)
            assert out[(b, c, *place)].item() == (7 if pixel == 0.7 else pixel)  # the oracle's fill value


def test_labels_of_64_bits_are_exact():
    largest = torch.iinfo(torch.int64).max
    labels = torch.tensor([largest, largest - 1, -largest, 2**53 + 1]).view(1, 1, 2, 2)
    grid = stnkit.coordinates.lattice((2, 2))[None]
    assert torch.equal(nearest()(labels, grid), labels)
    assert torch.equal(nearest("border")(labels, 50 * grid), labels)
    assert not nearest()(labels, 50 * grid).any()


def test_broken_points_of_a_label_map_read_the_padding():
    labels, grid = labels_of((4, 4), torch.uint8, batch=1) + 1, torch.zeros(1, 1, 4, 2)
    grid[0, 0, :3, 0] = torch.tensor([torch.nan, torch.inf, -1e30])
    out = nearest("fill", 9)(labels, grid)
    assert (out[..., :3] == 9).all()
    assert torch.equal(out[..., 3], labels[:, :, 2:3, 2])


def test_a_label_map_follows_its_image_through_a_warp():
    family = stnkit.build("transform", "affine")
    theta = torch.tensor([[0.8, 0.3, 0.1, -0.4, 0.9, -0.1]])
    labels = labels_of((9, 12), torch.int64, batch=1)
    out = stnkit.warp(family, theta, labels, nearest(), (7, 8))
    assert torch.equal(out, nearest()(labels.double(), family.grid(theta, (7, 8))).long())
    localizer = stnkit.build("localizer", "fully_connected", in_shape=(2, 9, 12))
    transformer = stnkit.SpatialTransformer(localizer, family, nearest(), out_size=(7, 8))
    assert torch.equal(transformer.warp(labels, theta), out)


def test_a_label_map_has_no_gradient_and_empty_batches():
    labels, sampler = labels_of((4, 5), torch.int32), nearest()
    with pytest.warns(UserWarning, match="zero gradient to the grid"):
        assert not sampler(labels, random_grid(2).requires_grad_()).requires_grad
    assert sampler(labels[:0], random_grid(2)[:0]).shape == (0, 2, 3, 6)
    assert sampler(labels, random_grid(2)[:, :0]).shape == (2, 2, 0, 6)


@pytest.mark.parametrize(
    ("dtype", "fill_value", "message"),
    [
        (torch.uint8, 256, "whole numbers from 0 to 255 for an image of torch.uint8, got 256"),
        (torch.int64, 0.5, "for an image of torch.int64, got 0.5"),
        (torch.bool, [1, 2], "whole numbers from 0 to 1 for an image of torch.bool, got \\[1"),
        (torch.int16, [1, 2, 3], "each of the 2 channels, got 3"),
    ],
)
def test_a_fill_value_must_be_a_label(dtype, fill_value, message):
    with pytest.raises(stnkit.errors.InputError, match=f"fill_value: expected .*{message}"):
        nearest("fill", fill_value)(labels_of((4, 5), dtype), random_grid(2))


def test_each_channel_of_labels_may_have_its_fill_value():
    out = nearest("fill", [3, 250])(labels_of((4, 5), torch.uint8), 0 * random_grid(2) + 9)
    assert torch.equal(out, torch.tensor([3, 250], dtype=torch.uint8).view(1, 2, 1, 1).expand_as(out))


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.bool])
@pytest.mark.parametrize("name", [name for name in NAMES if name != "nearest"])
def test_samplers_that_compute_means_refuse_labels(name, dtype):
    message = f"expected a floating-point tensor, got {dtype}; sampler=nearest reads integers and booleans"
    with pytest.raises(stnkit.errors.InputError, match=message):
        stnkit.build("sampler", name)(labels_of((4, 5), dtype), random_grid(2))


def complex_image(size, dtype=torch.complex128):
    return torch.complex(random_image(size), random_image(size, seed=3)).to(dtype)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("size", [(5, 8), (2, 3, 4)])
@pytest.mark.parametrize("name", NAMES)
def test_a_complex_image_is_read_in_two_parts(name, size, padding):
    image, grid = complex_image(size), random_grid(len(size))
    options = padding_options(padding)
    out = stnkit.build("sampler", name, **options)(image, grid)
    assert out.dtype == torch.complex128
    assert (out.real - stnkit.build("sampler", name, **options)(image.real, grid)).abs().max() < 1e-12
    options["padding"] = "zeros" if padding == "fill" else padding
    assert (out.imag - stnkit.build("sampler", name, **options)(image.imag, grid)).abs().max() < 1e-12


@pytest.mark.parametrize("padding", ["zeros", "fill"])
@pytest.mark.parametrize("name", ["bilinear", "bicubic", "nearest"])
def test_a_complex_image_keeps_its_dtype(name, padding):
    image, sampler = complex_image((5, 8)), stnkit.build("sampler", name, **padding_options(padding))
    expected = sampler(image, random_grid(2))
    for grid in (random_grid(2), random_grid(2).float()):
        for inputs in (image.to(torch.complex64), image):
            out = sampler(inputs, grid)
            assert out.dtype == inputs.dtype
            assert (out - expected).abs().max() < 1e-5
            with torch.autocast("cpu", dtype=torch.bfloat16):
                assert torch.equal(sampler(inputs, grid), out)


@pytest.mark.slow
@pytest.mark.no_jaxtyping  # many evaluations of one shape
@pytest.mark.parametrize("padding", ["mirror", "fill"])
@pytest.mark.parametrize("name", ["bilinear", "bspline"])
def test_the_gradients_of_a_complex_image_are_right(name, padding):
    options = {"double_backward": True} if name == "bilinear" else {}
    sampler = stnkit.build("sampler", name, **options, **padding_options(padding))
    image = complex_image((3, 4))[:1, :1].requires_grad_()
    grid = random_grid(2, batch=1, n=2).requires_grad_()
    assert torch.autograd.gradcheck(sampler, (image, grid))
    assert torch.autograd.gradgradcheck(sampler, (image, grid))


def test_a_complex_image_is_warped():
    family, sampler = stnkit.build("transform", "affine"), stnkit.build("sampler", "bilinear")
    theta, image = torch.tensor([[0.8, 0.3, 0.1, -0.4, 0.9, -0.1]] * 2), complex_image((6, 7), torch.complex64)
    out = stnkit.warp(family, theta, image, sampler)
    assert (out.real - stnkit.warp(family, theta, image.real, sampler)).abs().max() < 1e-5
    assert (out.imag - stnkit.warp(family, theta, image.imag, sampler)).abs().max() < 1e-5


@pytest.mark.slow
@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("padding", ["zeros", "fill"])
@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8])
def test_label_maps_run_in_onnxruntime(dtype, padding, tmp_path):
    import onnxruntime

    labels, grid, path = labels_of((5, 6), dtype), random_grid(2, dtype=torch.float32), tmp_path / "sampler.onnx"
    sampler = nearest(padding, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        torch.onnx.export(sampler, (labels, grid), path, dynamo=True, verbose=False)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [given.name for given in session.get_inputs()]
    (out,) = session.run(None, dict(zip(names, (labels.numpy(), grid.numpy()), strict=True)))
    assert np.array_equal(out, sampler(labels, grid).numpy())


@pytest.mark.slow
@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("dtype", [torch.int64, torch.uint16, torch.complex64])
def test_they_are_compiled_exported_and_mapped(dtype):
    size, sampler = (5, 8), nearest("fill", 3) if not dtype.is_complex else stnkit.build("sampler", "bilinear")
    image = complex_image(size, dtype) if dtype.is_complex else labels_of(size, dtype)
    grid = random_grid(2).float()
    expected = sampler(image, grid)
    compiled = torch.compile(sampler, fullgraph=True, backend="aot_eager")
    # Complex images are read natively or not, which differs by rounding; labels are equal.
    torch.testing.assert_close(compiled(image, grid), expected)
    torch.testing.assert_close(torch.export.export(sampler, (image, grid)).module()(image, grid), expected)
    mapped = torch.vmap(lambda points: sampler(image, points))(grid.expand(3, *grid.shape))
    torch.testing.assert_close(mapped[2], expected)
