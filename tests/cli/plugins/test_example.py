"""Examples that `stnkit plugins show` prints: each is a command that works, and changes something."""

import shlex

import pytest
from hydra import compose, initialize_config_module

import stnkit
from stnkit.cli.plugins.show import example
from stnkit.experiments.schema import register_schema
from stnkit.plugin_system import Registered, Source
from stnkit.plugin_system.declarations import suggestions
from stnkit.plugin_system.hydra_configs import register_component_groups
from stnkit.plugin_system.registry import plugin_registry


@pytest.mark.slow
def test_every_example_composes():
    register_schema()
    register_component_groups()
    with initialize_config_module("stnkit.conf", version_base="1.3"):
        for entry in plugin_registry().registered:
            program, command, group, *options = shlex.split(example(entry))
            assert (program, command) == ("stnkit", "train")
            # The groups that it overrides are chosen by `stnkit train`, and those that these override.
            groups = dict.fromkeys(["network", "placement", "objective", *suggestions(entry.component)])
            defaults = {"objective": "classification", "placement": "none", "network": "none", "distortion": "none"}
            suggested = [f"+{kind}={defaults[kind]}" for kind in groups if kind != entry.kind]
            assert compose(overrides=[*suggested, f"+{group}", *options])[entry.kind].name.value == entry.name


class Lens(stnkit.Sampler):
    def __init__(self, power: float = 2.0, gain: float = 1.0):
        super().__init__()
        if power < 2:
            raise stnkit.errors.InputError("expected 2 or more")

    def forward(self, image, grid):
        return image


def test_an_example_is_one_that_the_constructor_takes():
    lens = Registered(stnkit.Component("lens", Lens), Source("sampler.lens", "lens", "lenses", "1.0"))
    assert example(lens) == "stnkit train sampler=lens sampler.gain=0.5"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["training.progress"], "stnkit train training.progress=false"),
        (["training.optimizer"], "stnkit train training.optimizer=sgd"),
        (["training.learning_rate"], "stnkit train training.learning_rate=0.0015"),
        (["tps"], "stnkit train transform=tps transform.regularization=0.1"),
        (["sampler", "bilinear"], "stnkit train sampler=bilinear sampler.padding=border"),
    ],
)
def test_an_example_changes_something(words, command, stnkit_main):
    _, out, _ = stnkit_main("plugins", "show", *words)
    assert out.splitlines()[-1].strip() == command
