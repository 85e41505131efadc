"""Options of transforms that follow from the images where they stand."""

import math

import pytest
import torch

import stnkit
from stnkit.cli.option_text import options_from_images
from stnkit.experiments.placement import build_network
from stnkit.insertion import find_transformers
from tests.helpers import COMPONENTS


def quarter_turn(family):
    """The source, in pixels, of a point 6 pixels right of the center of a 28×42 image after a turn by 90°."""
    theta = family.identity()[None].clone()
    theta[0, 0] = math.pi / 2
    half = torch.tensor([21.0, 14.0], dtype=torch.float64)
    return (family(theta, torch.tensor([[[6.0, 0.0]]], dtype=torch.float64) / half) * half).flatten()


@pytest.mark.parametrize("name", ["rotation", "euclidean", "similarity"])
def test_a_turn_is_rigid_in_the_pixels_of_the_images(name):
    for size in ((28, 42), (42, 28), (28, 28)):
        assert stnkit.build("transform", name, in_shape=(1, *size)).aspect == size[1] / size[0]
    x, y = quarter_turn(stnkit.build("transform", name, in_shape=(1, 28, 42)))
    assert (abs(x), abs(y)) == pytest.approx((0, 6))


@pytest.mark.parametrize("name", ["rotation", "euclidean", "similarity"])
def test_an_aspect_that_a_user_gives_wins(name):
    given = stnkit.build("transform", {"name": name, "aspect": 1.0}, in_shape=(1, 28, 42))
    assert (given.aspect, dict(given.options_from_images)) == (1.0, {})
    # Without images, as before.
    alone = stnkit.build("transform", name)
    assert (alone.aspect, dict(alone.options_from_images)) == (1.0, {})


@pytest.mark.parametrize("name", ["rotation", "euclidean", "similarity"])
def test_a_turn_of_a_volume_takes_the_sides_from_its_shape(name):
    taken = stnkit.build("transform", {"name": name, "ndim": 3}, in_shape=(1, 20, 28, 42))
    assert taken.aspect == (42, 28, 20)
    assert taken.options_from_images == {"aspect": [42, 28, 20]}
    assert options_from_images({"input": taken.options_from_images}) == [
        ("aspect", "[42,28,20] at input (width, height and depth of the volumes)")
    ]
    alone = stnkit.build("transform", name, ndim=3)
    assert (alone.aspect, dict(alone.options_from_images)) == ((1, 1, 1), {})
    with pytest.raises(stnkit.errors.InputError, match=r"ndim: expected 2 for images of shape \[1, 28, 42\], got 3"):
        stnkit.build("transform", name, ndim=3, in_shape=(1, 28, 42))


@pytest.mark.parametrize("name", ["rotation", "euclidean", "similarity", "polar"])
def test_images_of_other_dimensions_are_refused(name):
    for options in ({}, {"aspect": 1.0}):
        chosen = {"name": name, **options}
        for in_shape in ((28, 42), (42,), (1, 2, 3, 28, 42)):
            with pytest.raises(stnkit.errors.InputError, match=r": in_shape: expected \(C, H, W\), got \["):
                stnkit.build("transform", chosen, in_shape=in_shape)
        with pytest.raises(stnkit.errors.InputError, match=r": ndim: expected 3 for images of shape .*, got 2$"):
            stnkit.build("transform", chosen, in_shape=(1, 20, 28, 42))


@pytest.mark.parametrize("name", ["compose", "bounded"])
def test_a_family_inside_another_refuses_other_images(name):
    options = {"stages": ["rotation"]} if name == "compose" else {"inner": "rotation"}
    with pytest.raises(stnkit.errors.InputError, match=r": in_shape: expected \(C, H, W\), got \[28, 42\]$"):
        stnkit.build("transform", {"name": name, **options}, in_shape=(28, 42))


def test_stages_of_a_composition_see_the_images():
    stages = ["affine", "similarity", {"name": "rotation", "aspect": 2.0}]
    family = stnkit.build("transform", "compose", stages=stages, in_shape=(1, 28, 42))
    assert [getattr(stage, "aspect", None) for stage in family.stages] == [None, 1.5, 2.0]


def test_a_network_tells_what_was_taken_at_each_point():
    config = COMPONENTS | {"transform": {"name": "compose", "stages": ["similarity", "tps"]}}
    network = build_network(config, ["input"], (1, 28, 42), 10)
    assert network.options_from_images() == {"input": {"aspect": 1.5}}
    assert build_network(COMPONENTS, ["input"], (1, 28, 42), 10).options_from_images() == {}


def test_an_inserted_transform_sees_its_own_feature_map():
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 1, 1, stride=(2, 1)), torch.nn.Conv2d(1, 1, 1))
    components = {"transform": "rotation", "localizer": "fully_connected", "sampler": "bilinear"}
    stnkit.insert_transformers(network, {"input": components, "1": components}, torch.rand(1, 1, 28, 28))
    # A Sequential has its transformer at its first module.
    assert [t.family.aspect for t in find_transformers(network).values()] == [1.0, 2.0]


def test_a_transform_that_cannot_do_without_images_is_refused():
    class Needs(stnkit.TransformFamily):
        n_params = 1

        def __init__(self, in_shape: tuple[int, ...]):
            super().__init__()

        def identity(self): ...

        def forward(self, theta, points): ...

    from stnkit.plugin_system.options import check_configurable

    with pytest.raises(stnkit.errors.InputError, match="the parameter in_shape of its constructor needs a default"):
        check_configurable(stnkit.Component("needs", Needs))
