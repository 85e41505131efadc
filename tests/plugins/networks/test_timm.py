"""`network=timm`: its names and options, the normalization behind the transformer, and a run."""

import json

import pytest
import torch
from torch import nn

import stnkit
from stnkit.experiments.placement import build_network
from tests.helpers import COMPONENTS

SMALL = "resnet10t"
VIT = "vit_tiny_patch16_224"

pytestmark = pytest.mark.no_jaxtyping


def built(in_shape=(3, 64, 48), n_classes=3, model=SMALL, **options):
    return stnkit.build("network", "timm", in_shape=in_shape, n_classes=n_classes, model=model, **options)


def first_convolution(network):
    return next(module for module in network.model.modules() if isinstance(module, nn.Conv2d))


def test_without_timm_one_sentence_says_how_to_install_it(stnkit_main, tmp_path):
    code, out, err = stnkit_main("train", "network=timm", "training.progress=false")
    assert (code, out) == (2, "")
    assert err == "stnkit train: network 'timm': timm is not installed: pip install 'stnkit[timm]'\n"


def test_a_timm_that_cannot_be_imported_is_one_sentence(make_distribution):
    text = "raise RuntimeError('operator torchvision::nms does not exist')"
    make_distribution("timm", {"timm": text}, {})
    with pytest.raises(stnkit.errors.NotInstalledError, match=r"torchvision is built for another torch than .*::nms"):
        built()


def test_checks_skip_a_component_without_its_library():
    results = stnkit.testing.run("network.timm")
    assert results.ok
    assert {result.reason for result in results.results} == {
        "network 'timm': timm is not installed: pip install 'stnkit[timm]'"
    }


@pytest.mark.parametrize(
    ("model", "near"),
    [
        ("resnet_18", "resnet18, "),
        ("vit_tiny", "vit_tiny_patch16_224, "),
        ("resnet18.a9_in1k", "resnet18.a1_in1k, "),
        ("hf-hub:timm/resnet18", ""),
        ("", ""),
    ],
)
def test_an_unknown_model_is_refused_with_near_names(timm, model, near):
    listed = f", such as {near}" if near else ""
    with pytest.raises(stnkit.errors.UnknownNameError) as caught:
        built(model=model)
    assert f"model: expected a model of timm {timm.__version__}{listed}" in str(caught.value)
    assert str(caught.value).endswith(f"got {model!r}")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"options": {"foo": 1}}, f"{SMALL} cannot be built for images of 3×64×48 with {{'foo': 1}}: .*'foo'"),
        ({"options": {"in_chans": 1}}, "options: expected arguments of the model itself, got in_chans"),
        ({"options": {"checkpoint_path": "x.pt"}}, "options: expected arguments of the model itself, got checkpoint"),
        ({"in_shape": (1, 8, 8, 8)}, r"in_shape: expected images \(C, H, W\), got \[1, 8, 8, 8\]"),
        ({"model": "inception_v3"}, "inception_v3 cannot be built for images of 3×64×48: .*Kernel size"),
        ({"model": VIT, "options": {"img_size": 32}}, f"{VIT} cannot be built for images of 3×64×48 with .*32"),
    ],
)
def test_what_the_model_does_not_take_is_one_sentence(timm, kwargs, message):
    with pytest.raises(stnkit.errors.InputError, match=message) as caught:
        built(**kwargs)
    assert "\n" not in str(caught.value)


def test_pretrained_weights_that_are_not_here_are_one_sentence(timm, monkeypatch):
    def unreachable(*args, **kwargs):
        raise OSError("no route to\nhost")

    monkeypatch.setattr("timm.models._builder.load_pretrained", unreachable)
    with pytest.raises(
        stnkit.errors.DataError, match=f"the weights of {SMALL} are not here: OSError: no route to host"
    ):
        built(pretrained=True)


@pytest.mark.parametrize(
    ("model", "n_channels", "mean", "std"),
    [
        (SMALL, 3, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        (SMALL, 1, (0.449,), (0.226,)),
        (SMALL, 4, (0.485, 0.456, 0.406, 0.485), (0.229, 0.224, 0.225, 0.229)),
        (VIT, 2, (0.5, 0.5), (0.5, 0.5)),
    ],
)
def test_the_first_layer_gets_normalized_images(timm, model, n_channels, mean, std):
    network, seen = built((n_channels, 64, 48), model=model).eval(), []
    first_convolution(network).register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    image = torch.rand(2, n_channels, 64, 48)
    network(image)
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (mean, std))
    torch.testing.assert_close(seen[0], (image - mean) / std)
    assert not {"mean", "std"} & set(network.state_dict())


@pytest.mark.parametrize(
    ("weights", "given"), [(torch.float32, torch.uint8), (torch.float32, torch.float16), (torch.float64, torch.float32)]
)
def test_images_are_normalized_in_the_dtype_of_the_weights(timm, weights, given):
    network = built().eval().to(weights)
    image = (255 * torch.rand(2, 3, 64, 48)).to(torch.uint8).to(given)
    torch.testing.assert_close(network(image), network(image.to(weights)))


def test_padding_of_the_transformer_arrives_as_black(timm):
    """Zeros that a shifted grid reads outside the image are normalized like any black pixel of an image."""
    config = COMPONENTS | {"network": {"name": "timm", "model": SMALL}, "transform": {"name": "translation"}}
    network = build_network(config, ["input"], (3, 64, 48), 3).eval()
    with torch.no_grad():
        network.transformer.head.offset.copy_(torch.tensor([4.0, 0.0]))  # two widths: all of it is outside
    white, black = torch.ones(1, 3, 64, 48), torch.zeros(1, 3, 64, 48)
    torch.testing.assert_close(network(white), network.network(black))


def test_it_is_the_model_of_timm_with_its_options(timm):
    network = built(n_classes=5, options={"drop_rate": 0.25}).eval()
    model = timm.create_model(SMALL, num_classes=5, in_chans=3).eval()
    model.load_state_dict(network.model.state_dict())
    image = torch.rand(2, 3, 64, 48)
    normalized = (image - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / torch.tensor([0.229, 0.224, 0.225])[
        :, None, None
    ]
    torch.testing.assert_close(network(image), model(normalized))
    assert network.model.drop_rate == 0.25


def test_a_vit_is_built_for_the_size_of_the_images(timm):
    assert built((1, 64, 48), model=VIT).model.patch_embed.img_size == (64, 48)


def test_a_vit_that_would_leave_out_pixels_is_refused(timm):
    with pytest.raises(stnkit.errors.InputError, match="multiples of the patch 16×16, got 28×28"):
        built((1, 28, 28), model=VIT)
    padded = built((1, 28, 28), model=VIT, options={"dynamic_img_size": True, "dynamic_img_pad": True}).eval()
    image = torch.rand(1, 1, 28, 28, requires_grad=True)
    (gradient,) = torch.autograd.grad(padded(image).square().sum(), image)
    assert (gradient != 0).all()


@pytest.mark.parametrize(("point", "full"), [("layer2", "model.layer2.0"), ("conv1", "model.conv1.0")])
def test_an_insertion_point_is_a_name_of_the_model(timm, point, full):
    config = COMPONENTS | {"network": {"name": "timm", "model": SMALL}}
    assert list(build_network(config, ["input", point], (3, 64, 48), 3).transformers()) == ["input", full]


@pytest.mark.training
def test_a_run_trains_reports_and_loads(timm, stnkit_main, tmp_path):
    overrides = ["network=timm", f"network.model={SMALL}", "network.options={drop_rate: 0.1}", "distortion=rotation"]
    small = ["training.epochs=1", "training.batch_size=256", "training.progress=false", "localizer=fully_connected"]
    points = ["placement=layers", "placement.at=[input,layer3]", "hydra.run.dir=run"]
    code, _, err = stnkit_main("train", *overrides, *small, *points)
    assert (code, err) == (0, "")
    record = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert record["status"] == "completed"
    assert record["config"]["network"]["model"] == SMALL
    run = stnkit.load_run(tmp_path / "run")
    assert list(run.network.transformers()) == ["input", "model.layer3.0"]
