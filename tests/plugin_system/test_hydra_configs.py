import contextlib
import json
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_module
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

import stnkit
from stnkit.experiments.run_directory.directories import register_resolvers
from stnkit.experiments.schema import register_schema
from stnkit.plugin_system.hydra_configs import register_component_groups
from stnkit.plugin_system.kinds import KINDS
from stnkit.plugin_system.registry import plugin_registry


@pytest.fixture
def composed(make_distribution):
    """Composes the config of `stnkit train`; what is to be found is installed before the first call."""
    with contextlib.ExitStack() as stack:

        def composed(*overrides):
            if not GlobalHydra.instance().is_initialized():
                register_schema()
                register_component_groups()
                register_resolvers()
                stack.enter_context(initialize_config_module("stnkit.conf", version_base="1.3"))
            return compose("train", overrides=list(overrides))

        GlobalHydra.instance().clear()
        composed.make_distribution = make_distribution
        yield composed


@pytest.mark.slow
def test_the_default_experiment_is_the_affine_one(composed):
    config = composed()
    names = {kind: str(config[kind].name) for kind in ("transform", "localizer", "sampler", "network", "dataset")}
    assert names == {
        "transform": "affine",
        "localizer": "convolutional",
        "sampler": "bilinear",
        "network": "compact_cnn",
        "dataset": "digits",
    }
    assert config.placement.at == ["input"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["transform", "localizer", "sampler", "network", "dataset", "distortion"])
def test_every_component_composes_with_its_defaults_and_builds(kind, composed):
    # Two channels: some components take pairs of images alone.
    supplied = {"in_shape": (2, 28, 28), "n_classes": 10, "image_shape": (2, 28, 28)}
    for name in plugin_registry().names(kind):
        node = OmegaConf.to_container(composed(f"{kind}={name}")[kind], enum_to_str=True)
        assert node["name"] == name
        assert "_target_" not in node
        wanted = {key: value for key, value in supplied.items() if key in KINDS[kind].supplied}
        try:
            assert stnkit.build(kind, node, **wanted)
        except stnkit.errors.DataError:
            assert kind == "dataset"  # its files are not here
        except stnkit.errors.NotInstalledError:
            assert (kind, name) in (("network", "timm"), ("localizer", "timm"))


@pytest.mark.parametrize(
    "override",
    [
        "transform=nonsense",
        "transform.no_such_option=1",
        "transform.ndim=two",
        "transform.name=projective",
        "training.epochs=many",
        "training.epoch=3",
        "training.schedule=sometimes",
        "sampler.padding=nothing",
        "out_size=large",
        "no_such_key=1",
        "placement.at=3",
        "localizer.channels=[a]",
    ],
)
def test_a_misspelled_option_or_wrong_type_fails_to_compose(override, composed):
    with pytest.raises((HydraException, OmegaConfBaseException)):
        composed(override)


@pytest.mark.slow
def test_an_enum_option_is_typed_and_takes_its_names(composed):
    assert composed("sampler.padding=border").sampler.padding == stnkit.samplers.Padding.border


@pytest.mark.slow
def test_what_omegaconf_cannot_type_is_left_to_build(composed):
    config = composed("distortion=rts", "distortion.scale=[0.5,0.6,0.7]")
    node = OmegaConf.to_container(config.distortion, enum_to_str=True)
    with pytest.raises(stnkit.errors.InputError, match=r"scale: expected tuple\[float, float\]"):
        stnkit.build("distortion", node, image_shape=(1, 28, 28))


@pytest.mark.slow
def test_a_strangers_transform_needs_no_yaml(composed):
    plugin = (
        "import torch, stnkit\n"
        "class Zoom(stnkit.TransformFamily):\n"
        "    n_params = 1\n"
        "    def __init__(self, rate: float = 2.0, steps: list[int] | None = None):\n"
        "        super().__init__()\n"
        "        self.rate, self.steps = rate, steps\n"
        "    def identity(self): return torch.zeros(1, dtype=torch.float64)\n"
        "    def forward(self, theta, points): return points * (1 + self.rate * theta)[..., None]\n"
        "@stnkit.hookimpl\n"
        "def stnkit_components(): yield stnkit.Component('zoom', Zoom)\n"
    )
    composed.make_distribution("zooming", {"zooming": plugin}, {"transform.zoom": "zooming"})
    config = composed("transform=zoom", "transform.rate=3", "transform.steps=[1,2]")
    family = stnkit.build("transform", OmegaConf.to_container(config.transform, enum_to_str=True))
    assert (family.rate, family.steps) == (3.0, [1, 2])
    with pytest.raises(HydraException):
        composed("transform=zoom", "transform.rate=fast")


def test_a_package_that_is_gone_leaves_no_config(make_distribution, monkeypatch):
    plugin = (
        "import stnkit\n"
        "class Fading(stnkit.Network):\n"
        "    def __init__(self, in_shape, n_classes): super().__init__()\n"
        "    def forward(self, images): return images\n"
        "@stnkit.hookimpl\n"
        "def stnkit_components(): yield stnkit.Component('fading', Fading)\n"
    )
    make_distribution("fading", {"fading": plugin}, {"network.fading": "fading"})
    register_component_groups()
    assert "fading.yaml" in ConfigStore.instance().list("network")
    monkeypatch.setattr(sys, "path", [folder for folder in sys.path if not folder.endswith("site-fading")])
    plugin_registry.cache_clear()
    register_component_groups()
    assert "fading.yaml" not in ConfigStore.instance().list("network")
    assert "paper_cnn.yaml" in ConfigStore.instance().list("network")


@pytest.mark.slow
def test_every_type_of_option_survives_a_config(composed):
    parameters = {
        "a": ("bool", "False", "true", True),
        "b": ("int", "1", "2", 2),
        "c": ("float", "1.0", "2", 2.0),
        "d": ("str", "'x'", "y", "y"),
        "e": ("Path", "Path('x')", "y/z", Path("y/z")),
        "f": ("Literal['p', 'q']", "'p'", "q", "q"),
        "g": ("list[int]", "(1,)", "[2,3]", [2, 3]),
        "h": ("tuple[float, str]", "(1.0, 'a')", "[2.5,b]", (2.5, "b")),
        "i": ("dict[str, int] | None", "None", "{a: 1}", {"a": 1}),
        "j": ("Sequence[str | dict[str, Any]]", "()", "[tps, {name: affine}]", ["tps", {"name": "affine"}]),
        "k": ("Path | None", "None", "y", Path("y")),
        "l": ("int | str", "1", "two", "two"),
        "m": ("Annotated[float, 'px']", "1.0", "2.5", 2.5),
        "n": ("Any", "None", "[1, a]", [1, "a"]),
        "o": ("Color", "Color.red", "blue", "Color.blue"),
        "p": ("list[Color]", "(Color.red,)", "[blue]", "[Color.blue]"),
        "q": ("list[list[float]] | None", "None", "[[1, 2], [3]]", [[1.0, 2.0], [3.0]]),
        "r": ("dict[str, list[float]] | None", "None", "{a: [1]}", {"a": [1.0]}),
        "s": ("list[dict[str, float]]", "({'a': 1.5},)", "[{a: 2}]", [{"a": 2.0}]),
        "t": ("list[list[Color]]", "((Color.red,),)", "[[blue]]", "[[Color.blue]]"),
        "u": ("float | str", "1.5", "2", 2.0),
        "v": ("list[float | None]", "(1.5, None)", "[2, null]", [2.0, None]),
        "w": ("list[float | str]", "(1.5, 'a')", "[2, b]", [2.0, "b"]),
    }
    signature = ", ".join(f"{name}: {kind} = {default}" for name, (kind, default, _, _) in parameters.items())
    plugin = (
        "import enum, torch, stnkit\n"
        "from collections.abc import Sequence\n"
        "from pathlib import Path\n"
        "from typing import Annotated, Any, Literal\n"
        "class Color(enum.Enum):\n    red = 1\n    blue = 2\n"
        "class Typed(stnkit.TransformFamily):\n"
        "    n_params = 1\n"
        f"    def __init__(self, {signature}):\n"
        "        super().__init__()\n"
        "        self.given = {k: v for k, v in locals().items() if len(k) == 1}\n"
        "    def identity(self): return torch.zeros(1, dtype=torch.float64)\n"
        "    def forward(self, theta, points): return points * torch.exp(theta)[..., None]\n"
        "@stnkit.hookimpl\n"
        "def stnkit_components(): yield stnkit.Component('typed', Typed)\n"
    )
    composed.make_distribution("typing-all", {"typing_all": plugin}, {"transform.typed": "typing_all"})
    for given in ({}, {name: text for name, (_, _, text, _) in parameters.items()}):
        config = composed("transform=typed", *(f"transform.{name}={text}" for name, text in given.items()))
        node = OmegaConf.to_container(config.transform, enum_to_str=True)
        assert json.loads(json.dumps(node)) == node  # as it stands in the record of a run
        family = stnkit.build("transform", node)
    color = type(family.given["o"])
    colors = {"o": color.blue, "p": [color.blue], "t": [[color.blue]]}
    assert family.given == {name: value for name, (_, _, _, value) in parameters.items()} | colors


@pytest.mark.slow
def test_an_item_of_an_item_of_a_wrong_type_is_refused(composed):
    plugin = (
        "import stnkit\n"
        "class Jitter(stnkit.Distortion):\n"
        "    def __init__(self, image_shape, levels: list[list[float]] | None = None): super().__init__()\n"
        "    def sample(self, n, generator): pass\n"
        "    def apply(self, images, theta, generator): pass\n"
        "@stnkit.hookimpl\n"
        "def stnkit_components(): yield stnkit.Component('jitter', Jitter)\n"
    )
    composed.make_distribution("jitters", {"jitters": plugin}, {"distortion.jitter": "jitters"})
    config = composed("distortion=jitter", "distortion.levels=[[1, a]]")
    node = OmegaConf.to_container(config.distortion, enum_to_str=True)
    with pytest.raises(stnkit.errors.InputError, match=r"levels: expected list\[list\[float\]\] \| None, got"):
        stnkit.build("distortion", node, image_shape=(1, 28, 28))
