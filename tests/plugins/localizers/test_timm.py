"""`localizer=timm`: the last map of a network of timm, averaged over regions."""

import json

import pytest
import torch
import torch.nn.functional as F

import stnkit

SMALL = "resnet10t"
VIT = "vit_tiny_patch16_224"
MEAN, STD = (torch.tensor(values)[:, None, None] for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))

pytestmark = pytest.mark.no_jaxtyping


def built(in_shape=(3, 64, 96), model=SMALL, **options):
    return stnkit.build("localizer", "timm", in_shape=in_shape, model=model, **options)


def test_without_timm_one_sentence_says_how_to_install_it(stnkit_main):
    code, out, err = stnkit_main("train", "localizer=timm", "training.progress=false")
    assert (code, out) == (2, "")
    assert err == (
        "stnkit train: insertion point 'input': localizer 'timm': timm is not installed: pip install 'stnkit[timm]'\n"
    )


def test_checks_skip_a_localizer_without_its_library():
    results = stnkit.testing.run("localizer.timm")
    assert results.ok
    assert {result.reason for result in results.results if result.outcome == "skipped"} == {
        "localizer 'timm': timm is not installed: pip install 'stnkit[timm]'"
    }


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"model": "resnet_18"}, "UnknownNameError", "model: expected a model of timm .* got 'resnet_18'"),
        ({"options": {"foo": 1}}, "InputError", f"{SMALL} cannot be built for images of 3×64×96 with {{'foo': 1}}: "),
        ({"options": {"in_chans": 1}}, "InputError", "options: expected arguments of the model itself, got in_chans"),
        ({"in_shape": (1, 8, 8, 8)}, "InputError", r"in_shape: expected images \(C, H, W\), got \[1, 8, 8, 8\]"),
        ({"in_shape": (1, 28, 28), "model": VIT}, "InputError", "multiples of the patch 16×16, got 28×28"),
        ({"cells": -1}, "InputError", "cells: expected at least 0, got -1"),
        (
            {"model": "mixer_s16_224", "in_shape": (3, 32, 32)},
            "InputError",
            "cells: expected 0, the model's own pooling, for mixer_s16_224, which gives no map: its output has shape",
        ),
    ],
)
def test_what_the_model_does_not_take_is_one_sentence(timm, kwargs, error, message):
    with pytest.raises(getattr(stnkit.errors, error), match=f"^localizer 'timm': .*{message}") as caught:
        built(**kwargs)
    assert "\n" not in str(caught.value)
    assert "network" not in str(caught.value)


def test_pretrained_weights_that_are_not_here_are_one_sentence(timm, monkeypatch):
    def unreachable(*args, **kwargs):
        raise OSError("no route to\nhost")

    monkeypatch.setattr("timm.models._builder.load_pretrained", unreachable)
    with pytest.raises(stnkit.errors.DataError, match=r"localizer 'timm': pretrained: the weights of .* no route to h"):
        built(pretrained=True)


def test_features_are_means_of_the_last_map_over_regions(timm):
    localizer = built(cells=2).eval()
    model = timm.create_model(SMALL, num_classes=0, global_pool="").eval()
    model.load_state_dict(localizer.model.state_dict())
    image = torch.rand(2, 3, 64, 96)
    last = model((image - MEAN) / STD)
    assert last.shape == (2, 512, 2, 3)
    expected = F.adaptive_avg_pool2d(last, (2, 2)).flatten(1)
    torch.testing.assert_close(localizer(image), expected)
    assert localizer.n_features == 2048
    # At most one region for each pixel of the map.
    assert built(cells=9).n_features == 512 * 2 * 3


def test_without_cells_features_are_those_of_the_model(timm):
    localizer = built(cells=0, options={"drop_rate": 0.25}).eval()
    model = timm.create_model(SMALL, num_classes=0).eval()
    model.load_state_dict(localizer.model.state_dict())
    image = torch.rand(2, 3, 64, 96)
    torch.testing.assert_close(localizer(image), model((image - MEAN) / STD))
    assert localizer.model.drop_rate == 0.25


@pytest.mark.parametrize("name", [VIT, "swin_tiny_patch4_window7_224"])
def test_a_map_of_patches_lies_as_the_image_does(timm, name):
    """The output of each patch, rows first, without the class token: channels last, or a list of tokens."""
    options = {"depth": 1} if name == VIT else {"depths": (1, 1), "num_heads": (2, 2), "embed_dim": 32}
    localizer = built((3, 64, 96), model=name, cells=99, options=options).eval()
    image = torch.rand(1, 3, 64, 96)
    output = localizer.model(localizer.normalization(image, localizer.model))
    rows, columns = (4, 6) if name == VIT else (8, 12)
    assert localizer.cells == (rows, columns)
    features = localizer(image).view(-1, rows, columns)
    for row, column in ((0, 0), (1, 4), (rows - 1, 2)):
        patch = output[0, 1 + row * columns + column] if name == VIT else output[0, row, column]
        torch.testing.assert_close(features[:, row, column], patch)


@pytest.mark.slow
@pytest.mark.parametrize(("in_shape", "cells"), [((1, 28, 28), 4), ((4, 64, 64), 1), ((2, 64, 64), 0)])
def test_a_transformer_with_it_starts_at_the_identity(timm, in_shape, cells):
    model = stnkit.SpatialTransformer(
        built(in_shape, cells=cells), stnkit.build("transform", "affine"), stnkit.build("sampler", "bilinear")
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    image = torch.rand(4, *in_shape)
    torch.testing.assert_close(model(image), image, atol=1e-5, rtol=0)
    for _ in range(3):  # the last layer of a block of the model has zeros too
        optimizer.zero_grad()
        (model(image) - image.roll(2, dims=3)).square().mean().backward()
        optimizer.step()
    assert all(bool(p.grad.any()) for p in model.parameters())


@pytest.mark.training
def test_a_run_of_timm_as_localizer_trains_and_loads(timm, stnkit_main, tmp_path):
    options = ["localizer=timm", f"localizer.model={SMALL}", "localizer.cells=2", "network=paper_fcn"]
    small = ["training.epochs=1", "training.batch_size=256", "training.progress=false", "hydra.run.dir=run"]
    code, _, err = stnkit_main("train", *options, *small)
    assert (code, err) == (0, "")
    record = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert record["status"] == "completed"
    assert record["config"]["localizer"] == {
        "name": "timm",
        "model": SMALL,
        "pretrained": False,
        "cells": 2,
        "options": None,
    }
    (found,) = stnkit.load_run(tmp_path / "run").network.transformers().values()
    assert found.localizer.n_features == 4 * 512
