"""`localizer=pooled`: averages over images of any size."""

import json

import numpy as np
import pytest
import torch

import stnkit


def built(in_shape=(1, 28, 28), **options):
    return stnkit.build("localizer", "pooled", in_shape=in_shape, **options)


def transformer(localizer, transform="affine", **options):
    return stnkit.SpatialTransformer(
        localizer, stnkit.build("transform", transform, **options), stnkit.build("sampler", "bilinear")
    )


@pytest.mark.parametrize("size", [(8, 8), (28, 28), (61, 97), (5, 1), (16, 16, 16), (9, 20, 13), (3, 64, 64)])
def test_pooled_features_have_their_width(size):
    localizer = built((3, *size), features=7)
    for batch in (1, 3):
        assert localizer(torch.rand(batch, 3, *size)).shape == (batch, 7)


@pytest.mark.parametrize("n_slices", [1, 2, 4])
def test_features_of_a_thick_volume_are_read_of_thin_ones(n_slices):
    localizer = built((1, 8, 32, 32)).eval()
    slices = torch.rand(2, 1, 1, 32, 32).expand(-1, -1, n_slices, -1, -1)
    averages = localizer.averages(slices)
    assert localizer(slices).shape == (2, localizer.n_features)
    # Of one cell along z, whose center is that of the volume.
    torch.testing.assert_close(averages[:, 64 + 2 :: 3], torch.zeros(2, 64), atol=1e-6, rtol=0)


def test_averages_are_means_and_first_moments():
    localizer = built((2, 24, 40), channels=[3, 5]).eval()
    image = torch.rand(2, 2, 24, 40)
    with torch.no_grad():
        found, maps = localizer.averages(image).numpy(), localizer.layers(image).numpy()
    assert maps.shape == (2, 5, 6, 10)
    y, x = ((2 * np.arange(n) + 1) / n - 1 for n in (6, 10))
    moments = np.stack([(maps * x).mean((2, 3)), (maps * y[:, None]).mean((2, 3))], axis=-1)
    expected = np.concatenate([maps.mean((2, 3)), moments.reshape(2, 10)], axis=1)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("size", [(28, 40), (31, 57)])
def test_moments_are_those_of_pixels_also_of_a_cut_cell(size):
    localizer = built((1, *size)).eval()
    stride, (height, width) = 8, size
    localizer.layers = torch.nn.AvgPool2d(stride, ceil_mode=True)
    for row, column in ((0, 0), (height - 1, width - 1), (height // 2, width // 2)):
        image = torch.zeros(1, 1, *size)
        image[0, 0, row, column] = 1
        mean, x, y = localizer.averages(image)[0]
        for moment, place, n in ((x, column, width), (y, row, height)):
            first = place // stride * stride
            center = (first + min(first + stride, n)) / n - 1
            assert (moment / mean).item() == pytest.approx(center, abs=1e-5)


@pytest.mark.parametrize("size", [(24, 16), (8, 16, 8)])
def test_a_tiled_image_has_the_features_of_its_tile(size):
    """The borders wrap around in this test: elsewhere they are zeros, which a tile has more of."""
    localizer = built((2, *size), moments=False).eval()
    for module in localizer.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Conv3d):
            module.padding_mode = "circular"
    tile = torch.rand(2, 2, *size)
    tiled = tile.repeat(1, 1, *(3 - axis for axis in range(len(size))))
    torch.testing.assert_close(localizer(tiled), localizer(tile), atol=1e-5, rtol=1e-5)


def test_means_alone_hardly_see_a_shift_and_moments_do():
    image = torch.zeros(1, 1, 64, 64)
    image[:, :, 24:40, 24:40] = torch.rand(16, 16)
    moved = image.roll(8, dims=3)
    localizer = built((1, 64, 64)).eval()
    with torch.no_grad():
        (means, moments), (moved_means, moved_moments) = (
            localizer.averages(x)[0].tensor_split([64]) for x in (image, moved)
        )
    torch.testing.assert_close(moved_means, means, atol=1e-5, rtol=0)
    # What moves by 8 of 64 pixels moves its x by 2 · 8/64, and its y not at all.
    shift = (moved_moments - moments).view(64, 2)
    inside = means - localizer.averages(torch.zeros(1, 1, 64, 64))[0, :64].detach()
    torch.testing.assert_close(shift[:, 0], 0.25 * inside, atol=2e-3, rtol=0)
    torch.testing.assert_close(shift[:, 1], torch.zeros(64), atol=1e-5, rtol=0)


def test_a_transformer_trained_at_one_size_takes_another():
    model = transformer(built())
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(3):
        image = torch.rand(8, 1, 28, 28)
        (model(image) - image.roll(2, dims=3)).square().mean().backward()
        optimizer.step()
    assert all(bool(p.grad.any()) for p in model.parameters())
    model.eval()
    for size in ((40, 60), (14, 100), (28, 28)):
        assert model(torch.rand(2, 1, *size)).shape == (2, 1, *size)
    small = torch.nn.functional.interpolate(torch.rand(4, 1, 6, 6), (28, 28), mode="bilinear")
    large = torch.nn.functional.interpolate(small, scale_factor=2.0, mode="bilinear")
    with torch.no_grad():
        torch.testing.assert_close(model.localize(large), model.localize(small), atol=0.05, rtol=0)


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("in_shape", "options", "message"),
    [
        ((2, 28), {}, "in_shape: expected (C, H, W) or (C, D, H, W), got [2, 28]"),
        ((2, 28, 28), {"channels": [4, 0]}, "channels: expected one or more widths of at least 1, got [4, 0]"),
        ((2, 28, 28), {"downsample": 0}, "downsample and features: expected at least 1, got 0 and 64"),
        ((2, 28, 28), {"features": 0}, "downsample and features: expected at least 1, got 2 and 0"),
        (
            (2, 8, 8),
            {"channels": [4, 4, 4]},
            "it is too deep for images of 8×8: the last of 3 convolutions has one pixel; use larger images, fewer "
            "channels or a smaller downsample (now channels=[4, 4, 4], downsample=2)",
        ),
    ],
)
def test_options_of_pooled_out_of_range_are_refused(in_shape, options, message):
    with pytest.raises(stnkit.errors.InputError) as error:
        built(in_shape, **options)
    assert str(error.value) == f"localizer 'pooled': {message}"


@pytest.mark.no_jaxtyping
def test_another_number_of_channels_is_one_sentence():
    with pytest.raises(
        stnkit.errors.InputError, match=r"Pooled: expected images that its layers accept, got shape \[3"
    ):
        built()(torch.rand(2, 3, 28, 28))


@pytest.mark.training
def test_a_run_of_pooled_loads_and_takes_another_size(stnkit_main, tmp_path):
    options = ["localizer=pooled", "localizer.channels=[4,4]", "network=paper_fcn", "network.hidden=[8]"]
    small = ["training.epochs=1", "training.batch_size=256", "training.progress=false", "hydra.run.dir=run"]
    code, _, error = stnkit_main("train", *options, *small)
    assert (code, error) == (0, "")
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["status"] == "completed"
    (found,) = stnkit.load_run(tmp_path / "run").network.transformers().values()
    assert found.eval()(torch.rand(2, 1, 50, 40)).shape == (2, 1, 50, 40)
