import base64
import copy
import io
import math
import re

import numpy as np
import pytest
import torch
from PIL import Image

import stnkit
from stnkit.experiments.data.loaders import Distorted
from stnkit.experiments.grid_lines import grid_lines
from stnkit.experiments.report.gallery import Galleries, Shown, transformers_seeing
from stnkit.experiments.report.image_strip import make_strip
from stnkit.experiments.report.runs import find_runs
from stnkit.experiments.report.table import Cell


def pixels(strip):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(strip.source.split(",")[1]))).convert("RGB"))


def points(path):
    return [[tuple(map(float, p.split())) for p in line.split("L")] for line in path.split("M")[1:]]


def test_a_strip_holds_its_images_from_left_to_right():
    images = torch.stack([torch.full((1, 5, 7), value) for value in (0.0, 0.25, 0.5)])
    strip = make_strip("x", images, white=0.5)
    assert (strip.width, strip.tile) == (21, (5, 7))
    shown = pixels(strip)
    assert shown.shape == (5, 21, 3)
    assert [int(shown[2, column, 0]) for column in (3, 10, 17)] == [0, pytest.approx(127, abs=1), 255]


def test_a_strip_of_colors_keeps_them():
    image = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    assert pixels(make_strip("x", image))[1, 1].tolist() == [255, 0, 0]


def test_the_lattice_of_the_identity_spans_the_image():
    family = stnkit.build("transform", "affine")
    lines = grid_lines(family, family.identity().float()[None], lines=3, points=2)
    strip = make_strip("x", torch.zeros(1, 1, 10, 20), lattices=lines)
    assert points(strip.lattices[0]) == [
        *([(x, 0), (x, 10)] for x in (0, 10, 20)),
        *([(0, y), (20, y)] for y in (0, 5, 10)),
    ]


def test_the_lattice_is_where_the_transformer_looks():
    family = stnkit.build("transform", "affine")
    angle = math.radians(30)
    theta = torch.tensor([[math.cos(angle), -math.sin(angle), 0.5, math.sin(angle), math.cos(angle), 0.0]])
    lines = grid_lines(family, theta, lines=3, points=3)
    # The middle of the middle line is the image of the origin.
    torch.testing.assert_close(lines[0, 1, 1], torch.tensor([0.5, 0.0]))
    corner = torch.tensor([-math.cos(angle) + math.sin(angle) + 0.5, -math.sin(angle) - math.cos(angle)])
    torch.testing.assert_close(lines[0, 0, 0], corner)


def test_a_lattice_that_is_not_finite_can_be_drawn():
    lattice = torch.full((1, 2, 3, 2), torch.nan)
    strip = make_strip("x", torch.zeros(1, 1, 4, 4), lattices=lattice)
    assert re.fullmatch(r"[ML\d. -]+", strip.lattices[0])


def test_a_gallery_has_an_image_per_class_before_and_after(sweep):
    (run,) = find_runs([sweep / "ok" / "1"])
    gallery = Galleries().draw(Cell((run,), 1))
    assert gallery.classes == tuple(range(10))
    assert [strip.name for strip in gallery.samples] == ["distorted", "transformed"] * 2
    assert [strip.name for strip in gallery.means] == ["undistorted", "distorted", "transformed"]
    assert all(len(strip.lattices) == (10 if strip.name == "distorted" else 0) for strip in gallery.samples)
    trained = stnkit.load_run(run.path)
    test = trained.data.fixed("test")
    chosen = [int((test.labels == label).nonzero()[0]) for label in range(10)]
    with torch.no_grad():
        after = trained.network.transformer(test.images[chosen])
    shown = pixels(gallery.samples[1])[:, :, 0] / 255
    expected = np.concatenate([*after.clamp(0, 1)[:, 0].numpy()], axis=1)
    np.testing.assert_allclose(shown, expected, atol=2 / 255)


def test_means_of_undistorted_images_are_sharper(sweep):
    (run,) = find_runs([sweep / "ok" / "0"])
    gallery = Galleries().draw(Cell((run,), 1))
    assert "no transformer at the input" in gallery.note
    assert [strip.name for strip in gallery.samples] == ["distorted", "distorted"]
    straight, turned = (pixels(strip).astype(float).std() for strip in gallery.means)
    assert straight > 1.2 * turned


def test_images_that_nothing_distorts_are_called_undistorted():
    images, labels = torch.rand(6, 1, 5, 5), torch.arange(6) % 2
    for seen, stage in ((images, "undistorted"), (images.flip(-1), "distorted"), (images[..., :4], "distorted")):
        assert Shown(Distorted(seen, labels, torch.zeros(6, 0)), labels, images, (0, 1)).stage == stage


def test_a_cell_is_drawn_from_a_run_that_can_be(sweep):
    failed, plain = find_runs([sweep / "bad" / "0", sweep / "ok" / "0"])
    gallery = Galleries().draw(Cell((failed, plain), 1))
    assert gallery.classes
    assert gallery.note.startswith(str(plain.path))


def test_a_cell_without_a_checkpoint_or_data_gets_a_note(sweep):
    (failed,) = find_runs([sweep / "bad" / "0"])
    gallery = Galleries().draw(Cell((failed,), 1))
    assert gallery.classes == ()
    assert f"no pictures of {failed.path}: there is no checkpoint" in gallery.note
    assert Galleries().draw(Cell((failed,) * 3, 1)).note.endswith("; likewise for 2 more runs")
    (run,) = find_runs([sweep / "ok" / "1"])
    gallery = Galleries({"no_such_option": 1}).draw(Cell((run,), 1))
    assert gallery.classes == ()
    assert "no_such_option" in gallery.note


def test_the_transformers_that_see_the_image_are_found(sweep):
    plain, transformed = (stnkit.load_run(sweep / "ok" / name).network for name in "01")
    image = torch.rand(1, 1, 28, 28)
    assert transformers_seeing(plain, image) == []
    assert transformers_seeing(transformed, image) == [transformed.transformer]
    parallel = stnkit.ParallelTransformers([transformed.transformer, copy.deepcopy(transformed.transformer)])
    assert transformers_seeing(parallel, image) == list(parallel.transformers)
    assert transformers_seeing(torch.nn.Sequential(torch.nn.Tanh(), transformed.transformer), image) == []
