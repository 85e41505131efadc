"""Localizers and networks of a stranger that do not fit: one sentence, in Python and by config."""

import pytest
import torch
from torch import nn

import stnkit
from stnkit.experiments.placement import build_network
from tests.helpers import COMPONENTS

pytestmark = pytest.mark.no_jaxtyping


class Gray(stnkit.Localizer):
    """For images of one channel, whatever it is built for."""

    n_features = 4

    def __init__(self, in_shape: tuple[int, ...]):
        super().__init__()
        self.layer = nn.Conv2d(1, 4, 3)

    def features(self, image):
        return self.layer(image).mean((2, 3))


class Wide(Gray):
    n_features = 7


class Flat(Gray):
    def features(self, image):
        return self.layer(image)


class Pair(Gray):
    def features(self, image):
        return self.layer(image).mean((2, 3)), image


class Full(Gray):
    def features(self, image):
        raise torch.OutOfMemoryError("CUDA out of memory")


CLASSES = """
import stnkit, torch
from torch import nn
class Color(stnkit.Localizer):
    n_features = 4
    def __init__(self, in_shape: tuple[int, ...]):
        super().__init__()
        self.layer = nn.Conv2d(3, 4, 3)
    def features(self, image):
        return self.layer(image).mean((2, 3))
class Wide(Color):
    n_features = 7
    def features(self, image):
        return torch.zeros(len(image), 4)
class Three(stnkit.Network):
    def __init__(self, in_shape: tuple[int, ...], n_classes: int):
        super().__init__()
        self.layer = nn.Conv2d(1, 3, 8)
    def forward(self, image):
        return self.layer(image).mean((2, 3))
class Large(Three):
    def __init__(self, in_shape: tuple[int, ...], n_classes: int):
        super().__init__(in_shape, n_classes)
        self.layer = nn.Conv2d(1, 10, 99)
@stnkit.hookimpl
def stnkit_components():
    yield stnkit.Component("color", Color)
    yield stnkit.Component("wide", Wide)
    yield stnkit.Component("three", Three)
    yield stnkit.Component("large", Large)
"""
KEYS = {
    "localizer.color": "strangers",
    "localizer.wide": "strangers",
    "network.three": "strangers",
    "network.large": "strangers",
}


def transformer(localizer):
    return stnkit.SpatialTransformer(
        localizer, stnkit.build("transform", "affine"), stnkit.build("sampler", "bilinear")
    )


def refusal(call):
    with pytest.raises(stnkit.errors.InputError) as refused:
        call()
    return str(refused.value)


@pytest.mark.parametrize(
    ("localizer", "got"),
    [(Wide, "[2, 7], got [2, 4]"), (Flat, "[2, 4], got [2, 4, 6, 6]"), (Pair, "[2, 4], got tuple")],
)
def test_features_of_another_width_than_said_are_refused(localizer, got):
    model, images = transformer(localizer((1, 8, 8))), torch.rand(2, 1, 8, 8)
    assert refusal(lambda: model(images)) == (f"{localizer.__name__}.features: expected shape (B, n_features) {got}")


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 2, 2)])
def test_an_image_that_no_layer_accepts_is_one_sentence(shape):
    sentence = refusal(lambda: transformer(Gray(shape))(torch.rand(2, *shape)))
    assert sentence.startswith(f"Gray: expected images that its layers accept, got shape {list(shape)}: RuntimeError: ")


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32])
def test_images_of_integers_are_refused_by_their_dtype(dtype):
    model = transformer(stnkit.build("localizer", "convolutional", in_shape=(1, 28, 28)))
    sentence = refusal(lambda: model(torch.zeros(2, 1, 28, 28, dtype=dtype)))
    assert sentence == f"Convolutional: expected floating-point images, got {dtype}"


@pytest.mark.parametrize("name", ["fully_connected", "convolutional", "pooled"])
@pytest.mark.parametrize(("dtype", "autocast"), [("float64", False), ("bfloat16", False), ("float64", True)])
def test_images_of_another_dtype_are_refused_by_it(name, dtype, autocast):
    localizer = stnkit.build("localizer", name, in_shape=(1, 28, 28)).to(getattr(torch, dtype))
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        sentence = refusal(lambda: localizer(torch.rand(2, 1, 28, 28)))
    named = f"{type(localizer).__name__}: expected images in {dtype}, the dtype of its weights, got float32: Runtime"
    assert sentence.startswith(named)


def test_under_autocast_a_wrong_shape_is_refused_by_it():
    with torch.autocast("cpu", torch.bfloat16):
        sentence = refusal(lambda: Gray((3, 8, 8))(torch.rand(2, 3, 8, 8, dtype=torch.bfloat16)))
    assert sentence.startswith("Gray: expected images that its layers accept, got shape [3, 8, 8]: RuntimeError: ")


class Buggy(Gray):
    """A localizer with a mistake that is no matter of the image."""

    def features(self, image):
        raise RuntimeError("the table of angles was not filled")


def test_a_bug_of_a_localizer_is_not_said_to_be_a_wrong_image():
    with pytest.raises(RuntimeError, match=r"^the table of angles was not filled$") as caught:
        transformer(Buggy((1, 8, 8)))(torch.rand(2, 1, 8, 8))
    assert type(caught.value) is RuntimeError
    assert caught.value.__cause__ is None


def test_a_failed_allocation_is_not_said_to_be_a_wrong_image():
    with pytest.raises(torch.OutOfMemoryError, match="CUDA out of memory") as caught:
        transformer(Full((1, 8, 8)))(torch.rand(2, 1, 8, 8))
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("place", "given", "got"),
    [
        ("localizer", nn.Conv2d(1, 1, 1), "a Localizer, got Conv2d"),
        ("localizer", Gray, "a Localizer, got the class Gray"),
        ("family", "affine", "a TransformFamily, got str"),
        ("sampler", stnkit.build("transform", "affine"), "a Sampler, got Affine"),
    ],
)
def test_a_component_in_another_ones_place_is_refused(place, given, got):
    components = {"localizer": Gray((1, 8, 8)), "family": stnkit.build("transform", "affine"), "sampler": nn.Identity()}
    sentence = refusal(lambda: stnkit.SpatialTransformer(**components | {place: given}))
    assert sentence == f"SpatialTransformer: {place}: expected {got}"


@pytest.mark.parametrize(
    ("kind", "name", "supplied", "message"),
    [
        ("localizer", "convolutional", {"in_shape": 28}, "in_shape: expected positive whole numbers, got 28"),
        (
            "localizer",
            "fully_connected",
            {"in_shape": (0, 8, 8)},
            "in_shape: expected positive whole numbers, got (0, ",
        ),
        ("network", "paper_fcn", {"in_shape": (1, 8, 8), "n_classes": 0}, "n_classes: expected a whole number of at l"),
        ("distortion", "rotation", {"image_shape": "digits"}, "image_shape: expected positive whole numbers, got 'dig"),
    ],
)
def test_what_the_program_supplies_is_checked(kind, name, supplied, message):
    assert refusal(lambda: stnkit.build(kind, name, **supplied)).startswith(f"{kind} '{name}': {message}")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        (
            "localizer=color",
            "Color: expected images that its layers accept, got shape [1, 28, 28]: RuntimeError: Given",
        ),
        ("localizer=wide", "Wide.features: expected shape (B, n_features) [1, 7], got [1, 4]"),
        ("network=three", "Three: expected logits of shape (B, n_classes) [1, 10], got [1, 3]"),
        ("network=large", "Large: expected images that its layers accept, got shape [1, 28, 28]: RuntimeError: Calc"),
    ],
)
def test_train_refuses_layers_that_do_not_fit(override, sentence, make_distribution, stnkit_main, monkeypatch):
    make_distribution("strangers", {"strangers": CLASSES}, KEYS)
    dataset = type(stnkit.build("dataset", "digits"))
    monkeypatch.setattr(dataset, "split", lambda self, name: pytest.fail("the data were read"))
    options = ["network=paper_fcn", "localizer=fully_connected", "dataset=digits", "distortion=none"]
    code, _, error = stnkit_main("train", *options, override)
    assert (code, error.count("\n")) == (2, 1)
    assert error.startswith(f"stnkit train: {sentence}")


def test_the_first_image_leaves_modes_and_random_state():
    torch.manual_seed(3)
    components = COMPONENTS | {"network": {"name": "compact_cnn"}}
    network = build_network(components, ["input"], (1, 28, 28), 10)
    drawn = torch.rand(())
    assert all(module.training for module in network.modules())
    assert all(norm.num_batches_tracked == 0 for norm in network.modules() if isinstance(norm, nn.BatchNorm2d))
    torch.manual_seed(3)
    stnkit.SpatialTransformer(
        stnkit.build("localizer", "fully_connected", in_shape=(1, 28, 28)),
        stnkit.build("transform", "affine"),
        stnkit.build("sampler", "bilinear"),
    )
    stnkit.build("network", "compact_cnn", in_shape=(1, 28, 28), n_classes=10)
    assert drawn == torch.rand(())
