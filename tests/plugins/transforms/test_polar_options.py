"""Options of polar coordinates, from images and the command line; and runs, which tell that it is a chart."""

import json
import math
from pathlib import Path

import hydra
import pytest
import torch
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

import stnkit
from stnkit.experiments.run_directory.directories import register_resolvers
from stnkit.experiments.schema import register_schema
from stnkit.plugin_system.hydra_configs import register_component_groups
from tests.helpers import QUICK


def polar(**options):
    return stnkit.build("transform", "polar", **options)


def test_options_follow_from_the_images_unless_they_are_given():
    taken = polar(log=True, in_shape=(1, 20, 30)).options_from_images
    assert dict(taken) == {"aspect": 1.5, "inner_radius": 0.1}  # one pixel, in units of 10
    assert dict(polar(in_shape=(1, 20, 30)).options_from_images) == {"aspect": 1.5}
    given_ = polar(log=True, in_shape=(1, 20, 30), aspect=1.0, inner_radius=0.3)
    assert dict(given_.options_from_images) == {}
    # Of images of one pixel, whose pixel is larger than the circle.
    assert polar(log=True, in_shape=(1, 1, 1)).options_from_images["inner_radius"] == 0.5
    inner = polar(inner="similarity", in_shape=(1, 20, 30)).inner
    assert inner.aspect == 1.5
    corner = polar(log=True)(torch.zeros(1, 2).double(), torch.tensor([[[-1.0, -1.0]]]).double())
    torch.testing.assert_close(corner, torch.tensor([[[1 / 32, 0.0]]]).double())


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"radius": 0.0}, "radius: expected a number between 0.001 and 1000, got 0.0"),
        ({"radius": math.nan}, "radius: expected a number between 0.001 and 1000, got nan"),
        ({"aspect": -1.0}, "aspect: expected a number between 0.001 and 1000, got -1.0"),
        ({"inner_radius": -0.1}, "inner_radius: expected a number of at least 0 and below the radius 1.0, got -0.1"),
        ({"inner_radius": 1.0}, "inner_radius: expected a number of at least 0 and below the radius 1.0, got 1.0"),
        (
            {"inner_radius": 0.0, "log": True},
            "inner_radius: expected a number of at least 1e-06 and below the radius 1.0",
        ),
        ({"inner_radius": 1e-320, "log": True}, "of at least 1e-06 and below the radius 1.0, got 1e-320"),
        ({"inner_radius": math.nan, "log": True}, "of at least 1e-06 and below the radius 1.0, got nan"),
        ({"inner": {"name": "affine", "ndim": 3}}, "inner: expected a transform of 2 dimensions, got 3"),
        ({"inner": "afine"}, "there is no transform 'afine'"),
        ({"inner": {"ndim": 2}}, "a name, or a mapping with a name"),
        ({"inner": 3}, "inner: expected"),
    ],
    ids=str,
)
def test_bad_options_are_refused_in_one_sentence(options, message):
    with pytest.raises(stnkit.errors.InputError) as refused:
        polar(**options)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("overrides", "inner", "n_params"),
    [
        ([], "Translation", 2),
        (["transform.inner=affine", "transform.log=true"], "Affine", 6),
        (["transform.inner={name:tps,control_points:[3,3]}"], "ThinPlateSpline", 18),
        (["transform.inner={name:compose,stages:[translation,rotation]}"], "Compose", 3),
    ],
    ids=str,
)
def test_the_inner_family_can_be_set_on_the_command_line(overrides, inner, n_params):
    register_schema()
    register_component_groups()
    register_resolvers()
    GlobalHydra.instance().clear()
    with hydra.initialize_config_module("stnkit.conf", version_base="1.3"):
        config = hydra.compose("train", ["transform=polar", *overrides])
    node = OmegaConf.to_container(config.transform, resolve=True, enum_to_str=True)
    family = stnkit.build("transform", node)
    assert type(family.inner).__name__ == inner
    assert family.n_params == n_params


@pytest.mark.training
def test_a_run_trains_and_tells_that_it_is_a_chart(stnkit_main, tmp_path):
    words = [*QUICK, "transform=polar", "transform.log=true", "training.epochs=1"]
    code, out, err = stnkit_main("train", *words, "distortion=rotation", f"hydra.run.dir={tmp_path / 'run'}")
    assert code == 0, err
    line = "chart at    input (the output has other coordinates than the image from the start)"
    assert line in out.splitlines()
    assert "inner_radius 0.07143 at input (in halves of the shorter side)" in out.splitlines()
    record = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert record["charts"] == ["input"]
    assert record["test_theta_distance"] > 0
    assert "its output has other coordinates than the original" in record["undefined"]["corner_error_raw"]
    assert record["rectified_variance"] > 0
    assert Path(record["picture"]).is_file()
    assert "charts at input: the output has other" in (tmp_path / "run" / "train.log").read_text()
    _, out, _ = stnkit_main("train", *words, "dry_run=true")
    assert "input (the output has other coordinates than the image from the start)" in out


@pytest.mark.no_jaxtyping
def test_it_is_shown_as_a_chart(stnkit_main):
    _, out, _ = stnkit_main("plugins", "show", "transform", "polar")
    assert "It is a chart: none of its maps is the identity." in out
    _, out, _ = stnkit_main("plugins", "show", "transform", "affine")
    assert "chart" not in out
