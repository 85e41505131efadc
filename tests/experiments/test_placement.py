import copy
import re

import pytest
import torch

import stnkit
from stnkit.experiments.loop.task import parameter_groups
from stnkit.experiments.loop.theta_recorder import ThetaRecorder
from stnkit.experiments.pictures import draw_before_and_after, transformer_inputs
from stnkit.experiments.placement import build_network
from stnkit.experiments.schema import TrainingConfig

CONFIG = {
    "transform": {"name": "affine"},
    "localizer": {"name": "fully_connected", "hidden": [8]},
    "sampler": {"name": "bilinear"},
    "network": {"name": "paper_cnn", "channels": [4, 6]},
    "out_size": None,
}
IMAGE = (3, 1, 28, 28)


def placed(at, config=None, **placement):
    return build_network(CONFIG | (config or {}), at, IMAGE[1:], 10, **placement)


@pytest.mark.parametrize("at", [["input"], ["conv2"], ["input", "conv2", "layers.pool1"]])
def test_new_transformers_do_not_change_the_output(at):
    model, plain = placed(at), placed([])
    assert len(model.transformers()) == len(at)
    names = plain.state_dict().keys()
    plain.load_state_dict({name: value for name, value in model.state_dict().items() if name in names})
    image = torch.rand(IMAGE)
    torch.testing.assert_close(model(image), plain(image), atol=1e-5, rtol=1e-5)


def test_the_input_transformer_is_outside_of_the_network():
    model = placed(["input", "conv2"])
    with torch.no_grad():
        model.transformer.head.offset.add_(0.1)
    image = torch.rand(IMAGE)
    torch.testing.assert_close(model.network(model.transformer(image)), model(image))
    assert not torch.allclose(model.network(image), model(image))
    assert placed(["conv2"]).transformer is None


def test_transformers_are_found_by_their_insertion_points():
    model = placed(["input", "conv2"], parts={"input": {"parallel": 2}})
    assert list(model.transformers()) == ["input 1", "input 2", "layers.conv2"]
    assert model.transformers()["input 2"] is model.transformer.transformers[1]
    assert list(placed(["input"]).transformers()) == ["input"]
    assert placed([]).transformers() == {}


def test_parallel_transformers_give_the_network_more_channels():
    model = placed(["input"], parallel=3, config={"out_size": [24, 26]})
    assert model.network.layers.conv1.in_channels == 3
    assert model.transformer(torch.rand(IMAGE)).shape == (3, 3, 24, 26)
    assert model(torch.rand(IMAGE)).shape == (3, 10)


def test_an_insertion_point_may_have_options_of_its_own():
    own = {"conv2": {"transform": "tps", "recurrent": 1, "out_size": [9, 9]}}
    model = placed(["input", "conv2"], recurrent=2, parts=own)
    outer, inner = model.transformers().values()
    assert (outer.recurrent, inner.recurrent) == (2, 1)
    assert inner.family.n_params == 32
    assert inner.out_size == (9, 9)


def test_all_transformers_have_the_scaled_learning_rate():
    model = placed(["input", "conv2"], parallel=1, parts={"input": {"parallel": 2}})
    groups = parameter_groups(model, TrainingConfig(learning_rate=0.5, localizer_scale=0.1, weight_decay=0.3))
    assert [(group["lr"], group["weight_decay"]) for group in groups] == [(0.5, 0.3), (0.05, 0.3), (0.05, 0.0)]
    transformers = model.transformers().values()
    assert {id(p) for p in groups[2]["params"]} == {id(t.head.offset) for t in transformers}
    slow = {id(p) for group in groups[1:] for p in group["params"]}
    assert slow == {id(p) for t in transformers for p in t.parameters()}
    assert len([p for group in groups for p in group["params"]]) == len(list(model.parameters()))


def test_the_recorder_has_the_composed_theta_of_all():
    model = placed(["input", "conv2"], recurrent=3)
    recorder = ThetaRecorder(model)
    outer, inner = model.transformers().values()
    with torch.no_grad():
        outer.head.offset[2] += 0.1  # three steps to the right of 0.1 each
    model(torch.rand(IMAGE))
    by_transformer = {id(t): recorder.thetas[i] for i, t in enumerate(recorder.transformers)}
    torch.testing.assert_close(by_transformer[id(outer)][:, 2], torch.full((3,), 0.3))
    torch.testing.assert_close(by_transformer[id(inner)], inner.family.identity().float().expand(3, 6))
    assert float(recorder.distance()) == pytest.approx(0.15, abs=1e-5)
    with torch.no_grad():
        inner.head.offset[0] = torch.nan
    model(torch.rand(IMAGE))
    assert not bool(recorder.all_finite())
    copy.deepcopy(model)(torch.rand(2, *IMAGE[1:]))
    assert recorder.thetas[0].shape[0] == 3


@pytest.mark.slow
def test_a_picture_shows_every_transformer(tmp_path):
    import matplotlib.image

    sizes = []
    for at, parallel in ((["input"], 1), (["input", "conv2"], 1), (["input"], 2)):
        model = placed(at, parallel=parallel).eval()
        seen = transformer_inputs(model, torch.rand(IMAGE))
        assert seen.keys() == model.transformers().keys()
        sizes.append(matplotlib.image.imread(draw_before_and_after(seen, tmp_path / "picture.png")).shape[0])
        assert not any(t._forward_pre_hooks for t in model.transformers().values())
    assert sizes[0] < sizes[1] == sizes[2]


def test_the_recorded_input_is_that_of_the_insertion_point():
    model = placed(["input", "conv2"]).eval()
    image = torch.rand(IMAGE)
    seen = transformer_inputs(model, image)
    assert torch.equal(seen["input"][1], image)
    inside = model.network.layers.pool1(model.network.layers.conv1(image).relu())
    torch.testing.assert_close(seen["layers.conv2"][1], inside, atol=1e-5, rtol=1e-5)


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("at", "config", "placement", "match"),
    [
        (
            ["conv3"],
            {},
            {},
            "no insertion point 'conv3' in the network; .* are: layers.conv1, layers.conv2, ",
        ),
        (["input", "input"], {}, {}, "placement.at: expected each insertion point once"),
        (["input"], {}, {"parts": {"conv2": {}}}, "placement.parts: expected insertion points of .*, got 'conv2'"),
        (["input"], {}, {"parts": {"input": "affine"}}, "placement.parts.input: expected a mapping .*, got 'affine'"),
        (["input"], {}, {"parts": {"input": 0}}, "placement.parts.input: expected a mapping .*, got 0"),
        (
            ["input"],
            {},
            {"parts": {"input": {"size": 3}}},
            "point 'input': there is no 'size'; it takes transform",
        ),
        (["conv2"], {"out_size": [9, 9]}, {}, "out_size: expected null, got .*parts.POINT.out"),
        (["input"], {"out_size": [9]}, {}, "out_size: .*expected 2 whole numbers"),
        (["input"], {"transform": {"name": "tps"}}, {"recurrent": 2}, "point 'input': .* needs a family that composes"),
        (["conv2"], {}, {"parallel": 2}, "'layers.conv2' does not accept the transformer's output"),
        (["logits"], {}, {}, "insertion point 'layers.logits': expected an image"),
        (["input"], {}, {"parallel": 0}, "parallel: expected a whole number of at least 1, got 0"),
    ],
)
def test_an_impossible_placement_is_refused_in_one_sentence(at, config, placement, match):
    with pytest.raises(stnkit.errors.InputError, match=match) as caught:
        placed(at, config, **placement)
    assert "\n" not in str(caught.value)


class Fails(stnkit.TransformFamily):
    n_params = 2

    def identity(self):
        return torch.zeros(2, dtype=torch.float64)

    def forward(self, theta, points):
        raise RuntimeError("shape mismatch\nin my kernel")


class FailsToRead(stnkit.Sampler):
    def forward(self, image, grid):
        raise RuntimeError("no kernel for this image")


class FailsToFind(stnkit.Localizer):
    def __init__(self, in_shape: tuple[int, ...]):
        super().__init__()
        self.n_features = 2

    def features(self, image):
        raise RuntimeError("no table of angles")


class FailsToSee(stnkit.Network):
    def __init__(self, in_shape: tuple[int, ...], n_classes: int):
        super().__init__()

    def forward(self, image):
        return image @ image.new_zeros(3, 3)


@pytest.mark.parametrize(
    ("kind", "cls", "said"),
    [
        ("transform", Fails, "Fails has failed for images of shape [1, 28, 28]: RuntimeError: shape mismatch in my"),
        ("sampler", FailsToRead, "FailsToRead has failed for images of shape [1, 28, 28]: RuntimeError: no kernel"),
        ("localizer", FailsToFind, "FailsToFind has failed for images of shape [1, 28, 28]: RuntimeError: no table"),
        ("network", FailsToSee, "FailsToSee: expected images that its layers accept, got shape [1, 28, 28]: Runtime"),
    ],
)
def test_an_error_is_that_of_the_component_that_raised_it(kind, cls, said, make_distribution):
    module = f"fails_{kind}"
    text = (
        f"import stnkit\nfrom {__name__} import {cls.__name__} as Mine\n\n"
        "@stnkit.hookimpl\ndef stnkit_components():\n    yield stnkit.Component('fails', Mine)\n"
    )
    make_distribution("fails", {module: text}, {f"{kind}.fails": module})
    with pytest.raises(stnkit.errors.InputError) as caught:
        placed(["input"], {kind: {"name": "fails"}})
    assert str(caught.value).startswith(said)
    assert re.search(rf" \({re.escape(cls.__module__)}, line \d+\)$", str(caught.value))
