"""docs/families.md shows every built-in family and sampler, and docs/gallery.py draws what it shows."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest
import yaml
from matplotlib import image

import stnkit
from stnkit.plugin_system.options import options_of
from stnkit.plugin_system.registry import plugin_registry
from tests.helpers import ROOT

DOCS = ROOT / "docs"
PAGE = (DOCS / "families.md").read_text()
SECTIONS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))
LARGEST = 60_000  # bytes of a picture


def built_in(kind):
    return [e.name for e in plugin_registry().registered if e.kind == kind and e.source.distribution == "stnkit"]


@pytest.fixture
def gallery():
    return runpy.run_path(str(DOCS / "gallery.py"))["main"]


def assert_shows_something(path):
    assert path.stat().st_size < LARGEST
    assert np.unique(image.imread(path).reshape(-1, 4), axis=0).shape[0] > 20


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [True, False])
def test_it_draws_one_family_the_same_every_time(gallery, tmp_path, recipe):
    if not recipe:
        del gallery.__globals__["RECIPES"]["homography4"]
    gallery(["homography4", "--out", str(tmp_path / "first")])
    gallery(["homography4", "--out", str(tmp_path / "second")])
    (first,) = (path for path in (tmp_path / "first").rglob("*") if path.is_file())
    assert first.relative_to(tmp_path / "first") == Path("families/homography4.png")
    assert_shows_something(first)
    assert first.read_bytes() == (tmp_path / "second" / "families" / "homography4.png").read_bytes()


@pytest.mark.slow
def test_it_draws_the_samplers(gallery, tmp_path):
    gallery(["samplers", "--out", str(tmp_path)])
    assert_shows_something(tmp_path / "samplers.png")


def test_it_refuses_a_name_that_it_cannot_draw(gallery, tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        gallery(["bilinear", "--out", str(tmp_path)])
    error = capsys.readouterr().err
    assert "expected names of affine, " in error
    assert ", got bilinear" in error


def test_the_picture_of_a_fold_has_one_and_that_of_its_flow_none():
    gallery = runpy.run_path(str(DOCS / "gallery.py"))
    (label, options, recipe), flow = gallery["RECIPES"]["bspline"][1], gallery["RECIPES"]["velocity"][1]
    assert label == f"{flow[0]}: it folds"
    assert flow[1:] == (options, recipe)
    families = [stnkit.build("transform", name, **options) for name in ("bspline", "velocity")]
    folds = [stnkit.folds(family, gallery["theta_of"](family, recipe), (24, 24)).item() for family in families]
    assert folds[0] > 0.05
    assert folds[1] == 0


@pytest.mark.parametrize("name", built_in("transform"))
def test_a_family_has_a_section_picture_and_buildable_example(name):
    assert f"![{name}](images/families/{name}.png)" in SECTIONS[name]
    assert_shows_something(DOCS / "images" / "families" / f"{name}.png")
    (example,) = re.findall(r"`(transform=[^`]+)`", SECTIONS[name])
    chosen, *options = example.split()
    assert chosen == f"transform={name}"
    given = dict(option.removeprefix("transform.").split("=") for option in options)
    stnkit.build("transform", name, **{key: yaml.safe_load(value) for key, value in given.items()})


def test_the_page_has_no_section_of_a_family_that_is_not_there():
    assert set(SECTIONS) == {*built_in("transform"), "Samplers"}


@pytest.mark.slow
def test_the_table_names_every_sampler_and_all_of_its_options():
    rows = re.findall(r"^\| (\w+) \|.*\|(.*)\|$", SECTIONS["Samplers"], re.MULTILINE)
    table = {name: set(re.findall(r"`(\w+)`", options)) for name, options in rows if name != "name"}
    common = {"padding", "fill_value"}
    expected = {
        name: {option.name for option in options_of(plugin_registry().component("sampler", name))} - common
        for name in built_in("sampler")
    }
    assert table == expected
    assert_shows_something(DOCS / "images" / "samplers.png")
