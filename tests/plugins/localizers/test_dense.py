"""`localizer=dense`: a map of features for the lattice of a family."""

import json

import pytest
import torch

import stnkit
from stnkit.localizers import LatticeHead, RegressionHead


def built(in_shape=(2, 28, 28), **options):
    return stnkit.build("localizer", "dense", in_shape=in_shape, **options)


def transformer(localizer, transform="bspline", **options):
    return stnkit.SpatialTransformer(
        localizer, stnkit.build("transform", transform, **options), stnkit.build("sampler", "bilinear")
    )


def n_parameters(*modules):
    return sum(parameter.numel() for module in modules for parameter in module.parameters())


@pytest.mark.parametrize(
    ("size", "expected"),
    [((8, 8), (4, 4)), ((28, 28), (14, 14)), ((61, 97), (31, 49)), ((3, 1), (2, 1)), ((16, 8, 12), (8, 4, 6))],
)
def test_the_map_has_half_the_size_of_the_image(size, expected):
    localizer = built((3, *size))
    for batch in (1, 3):
        assert localizer(torch.rand(batch, 3, *size)).shape == (batch, 16, *expected)


class First(torch.nn.Module):
    """The first channel, in place of a level's convolutions."""

    def forward(self, x):
        return x[:, :1]


@pytest.mark.parametrize("downsample", [1, 2, 3, 8])
@pytest.mark.parametrize("size", [(290, 291), (292, 293), (294, 295), (296, 289)])
def test_every_level_spans_the_image(size, downsample):
    """A ramp is its own mean over any pixels about a point, so that each cell holds the coordinate of its center."""
    localizer = built((1, *size), channels=[1, 1, 1], downsample=downsample)
    for levels in (localizer.encoder, localizer.decoder):
        for i in range(len(levels)):
            levels[i] = First()
    for axis in (0, 1):
        ramp = stnkit.coordinates.lattice(size, dtype=torch.float64)[..., axis]
        found = localizer.features(ramp[None, None])[0, 0]
        expected = stnkit.coordinates.lattice(tuple(found.shape), dtype=torch.float64)[..., axis]
        inner = expected.abs() < 0.4  # beyond, the last pixels stand for what follows them
        assert inner.any()
        torch.testing.assert_close(found[inner], expected[inner], rtol=0, atol=1e-12)


@pytest.mark.slow
@pytest.mark.no_jaxtyping  # a tracer of modules has no tensors
def test_a_graph_of_one_size_takes_another():
    localizer = built((1, 27, 21)).eval()
    traced = torch.fx.symbolic_trace(localizer)
    dynamic = {"image": {0: torch.export.Dim.AUTO, 2: torch.export.Dim.AUTO, 3: torch.export.Dim.AUTO}}
    exported = torch.export.export(localizer, (torch.rand(2, 1, 27, 21),), dynamic_shapes=dynamic).module()
    for size in ((27, 21), (32, 26), (33, 40)):
        image = torch.rand(3, 1, *size)
        torch.testing.assert_close(exported(image), localizer(image))
        torch.testing.assert_close(traced(image), localizer(image))


def test_fewer_levels_of_the_decoder_leave_a_coarser_map():
    for decoder, expected in (([], (9, 4, 4)), ([5], (5, 7, 7)), ([5, 3], (3, 14, 14))):
        localizer = built(channels=[4, 6, 9], decoder=decoder)
        assert localizer(torch.rand(2, 2, 28, 28)).shape == (2, *expected)
        assert localizer.n_features == expected[0]


def test_images_of_another_size_are_taken_too():
    model = transformer(built()).eval()
    image = torch.rand(2, 2, 40, 33)
    torch.testing.assert_close(model(image), image, atol=1e-5, rtol=0)


def test_a_lattice_needs_a_fiftieth_of_the_parameters():
    """16×16 control points on 224×224: the same convolutions, and what follows them."""
    family = stnkit.build("transform", "bspline", control_points=[16, 16])
    in_shape, channels = (1, 224, 224), [20, 20]
    plain = {"channels": channels, "features": 20, "batch_norm": False}
    linear = stnkit.build("localizer", "convolutional", in_shape=in_shape, **plain)
    dense = built(in_shape, channels=channels)
    heads = RegressionHead(linear.n_features, family), LatticeHead(dense.n_features, family)
    assert [n_parameters(head) for head in heads] == [512 * 21, 2 * 21]
    assert n_parameters(heads[0]) >= 50 * n_parameters(heads[1])
    assert n_parameters(linear, heads[0]) == 1_021_312
    assert n_parameters(dense, heads[1]) == 11_142
    assert n_parameters(linear, heads[0]) >= 50 * n_parameters(dense, heads[1])
    # Not fewer by being shallow: with the defaults, of four levels, they are fewer too.
    assert n_parameters(built(in_shape)) < n_parameters(linear, heads[0]) / 14


@pytest.mark.parametrize("rows", [0, 1])
def test_an_image_shifted_by_a_spacing_shifts_theta_by_a_point(rows):
    """A cell of the displacements has 8 pixels, as many as a pixel of the coarsest level."""
    model = transformer(built((1, 128, 128), channels=[8, 8, 8]), "displacement", resolution=[16, 16]).eval()
    with torch.no_grad():
        model.head.weight.normal_()
    image = torch.zeros(1, 1, 128, 128)
    image[:, :, 40:88, 40:88] = torch.rand(1, 1, 48, 48)
    moved = image.roll((8 * rows, 8 - 8 * rows), dims=(2, 3))
    first, second = (model.localize(x).view(2, 16, 16) for x in (image, moved))
    back = second.roll((-rows, rows - 1), dims=(1, 2))
    assert bool((first - first[:, :1, :1]).abs().max() > 0.1)
    # The border, where the convolutions are padded, reaches three points far.
    torch.testing.assert_close(back[:, 3:-3, 3:-3], first[:, 3:-3, 3:-3], atol=1e-4, rtol=0)


@pytest.mark.parametrize("transform", ["bspline", "displacement", "piecewise_affine", "tps"])
def test_a_new_transformer_is_the_identity_and_learns(transform):
    torch.manual_seed(0)
    model = transformer(built(), transform)
    image = torch.rand(4, 2, 28, 28)
    torch.testing.assert_close(model(image), image, atol=1e-5, rtol=0)
    target = torch.nn.functional.pad(image, (1, 0))[..., :-1]
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = (model(image) - target).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert all(bool(p.grad.any()) for p in model.parameters())
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("in_shape", "options", "message"),
    [
        ((2, 28), {}, "in_shape: expected (C, H, W) or (C, D, H, W), got [2, 28]"),
        ((2, 28, 28), {"channels": []}, "channels: expected one or more widths of at least 1, got []"),
        (
            (2, 28, 28),
            {"decoder": [4] * 4},
            "decoder: expected widths of at least 1, fewer than the 4 of channels, got [4, 4, 4, 4]",
        ),
        (
            (2, 28, 28),
            {"decoder": [0]},
            "decoder: expected widths of at least 1, fewer than the 4 of channels, got [0]",
        ),
        ((2, 28, 28), {"downsample": 0}, "downsample: expected at least 1, got 0"),
        (
            (2, 16, 16),
            {"channels": [4, 4, 4, 4]},
            "it is too deep for images of 16×16: the coarsest of 4 levels has one pixel; use larger images, fewer "
            "channels or a smaller downsample (now channels=[4, 4, 4, 4], downsample=2)",
        ),
    ],
)
def test_options_of_dense_out_of_range_are_refused(in_shape, options, message):
    with pytest.raises(stnkit.errors.InputError) as error:
        built(in_shape, **options)
    assert str(error.value) == f"localizer 'dense': {message}"


@pytest.mark.slow
def test_a_family_without_a_lattice_is_one_sentence(stnkit_main, monkeypatch):
    dataset = type(stnkit.build("dataset", "digits"))
    monkeypatch.setattr(dataset, "split", lambda self, name: pytest.fail("the data were read"))
    code, _, error = stnkit_main("train", "localizer=dense", "transform=affine", "network=paper_fcn")
    assert code == 2
    assert error == (
        "stnkit train: insertion point 'input': Dense gives a map of features: expected a family whose θ is a lattice "
        "of control points (lattice_shape), such as a B-spline, got Affine\n"
    )


@pytest.mark.training
def test_a_run_of_dense_registers_reports_and_loads(stnkit_main, tmp_path):
    options = ["dataset=pairs", "localizer=dense", "localizer.channels=[4,4]", "transform=bspline"]
    small = ["training.epochs=1", "training.batch_size=256", "training.progress=false", "hydra.run.dir=run"]
    code, _, error = stnkit_main("train", *options, *small)
    assert (code, error) == (0, "")
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["status"] == "completed"
    (found,) = stnkit.load_run(tmp_path / "run").network.transformers().values()
    assert isinstance(found.head, LatticeHead)
    assert bool(found.head.weight.any())
