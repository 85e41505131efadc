"""Pictures of runs whose objective is no classification: pairs, images without labels, outlines, further pictures."""

import base64
import io
import json
from pathlib import Path
from typing import ClassVar

import matplotlib.image
import numpy as np
import pytest
import torch
from PIL import Image

import stnkit
from stnkit import coordinates
from stnkit.experiments.picture_rows import transformed_rows, with_objective
from stnkit.experiments.pictures import draw_before_and_after
from stnkit.experiments.report.gallery import Galleries
from stnkit.experiments.report.page import make_page
from stnkit.experiments.report.runs import find_runs
from stnkit.experiments.report.table import Cell, make_table
from stnkit.objectives import Batch, Figure

STRANGER = """
import torch, stnkit
from stnkit.objectives import Figure

def blobs(n, size=16):
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    centers = 4 + 8 * torch.rand(n, 2, generator=torch.Generator().manual_seed(n))
    distance = (x - centers[:, :1, None]) ** 2 + (y - centers[:, 1:, None]) ** 2
    return (255 * torch.exp(-distance / 8)).to(torch.uint8)[:, None], centers

class Blobs(stnkit.Dataset):
    n_classes, image_shape = 0, (1, 16, 16)
    def split(self, name):
        return blobs({"train": 40, "validation": 10, "test": 14}[name])

class Twins(stnkit.Dataset):
    n_classes, image_shape, pair = 0, (2, 16, 16), True
    def split(self, name):
        images, centers = Blobs().split(name)
        return torch.cat([images, images.roll(2, dims=-1)], dim=1), centers

class Brightest(stnkit.Objective):
    figures = {"brightness": Figure(higher_is_better=True)}
    needs, default_network = ("transformer",), "none"
    def losses(self, batch):
        return {"loss": -batch.straightened.mean()}
    def measure(self, batch):
        return {"brightness": batch.straightened.flatten(1).mean(dim=1)}

class Careless(Brightest):
    def pictures(self, batch):
        return {"crop": batch.images[:, :, :8, :8][:1]}

class Match(stnkit.Objective):
    figures = {"mismatch": Figure("px")}
    needs, default_network, default_placement = ("pair", "transformer"), "none", "pair"
    def losses(self, batch):
        return {"loss": (batch.straightened - batch.fixed).square().mean()}
    def measure(self, batch):
        return {"mismatch": (batch.straightened - batch.fixed).abs().flatten(1).mean(dim=1)}
    def pictures(self, batch):
        return {"sum": (batch.straightened + batch.fixed) / 2}
    def outlines(self, batch):
        window = stnkit.coordinates.border(2).expand(len(batch.images), -1, -1) / 2
        unknown = window.clone()
        unknown[0] = torch.nan
        return {"window": window, "true place": unknown}

def stnkit_components():
    yield stnkit.Component("blobs", Blobs)
    yield stnkit.Component("twins", Twins)
    yield stnkit.Component("brightest", Brightest)
    yield stnkit.Component("careless", Careless)
    yield stnkit.Component("match", Match)
stnkit_components = stnkit.hookimpl(stnkit_components)
"""
KEYS = ("dataset.blobs", "dataset.twins", "objective.brightest", "objective.careless", "objective.match")
QUICK = ("training.epochs=1", "training.batch_size=20", "training.progress=false", "localizer=fully_connected")


@pytest.fixture
def trained(make_distribution, stnkit_main, tmp_path):
    """The run of a stranger's objective."""
    make_distribution("stranger", {"strange_objectives": STRANGER}, dict.fromkeys(KEYS, "strange_objectives"))

    def train(*overrides):
        code, _, err = stnkit_main("train", *QUICK, *overrides, "hydra.run.dir=run")
        assert code == 0, err
        (run,) = find_runs([tmp_path / "run"])
        return run

    return train


def pixels(strip):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(strip.source.split(",")[1]))).convert("L")) / 255


def tiles(images):
    return np.concatenate([*images.clamp(0, 1)[:, 0].numpy()], axis=1)


@pytest.mark.training
def test_a_pair_is_shown_before_and_after_beside_its_fixed_image(trained):
    run = trained("objective=match", "dataset=twins", "distortion=none")
    gallery = Galleries().draw(Cell((run,), 1))
    assert (gallery.classes, gallery.names, gallery.means) == ((), (), ())
    names = ["moving", "fixed", "warped", "difference", "sum"]
    assert [strip.name for strip in gallery.samples] == names * 2
    # The test has 14 pairs, and a row shows ten.
    assert [strip.n for strip in gallery.samples] == [10] * 5 + [4] * 5
    assert [len(strip.lattices) for strip in gallery.samples[:5]] == [10, 0, 0, 0, 0]
    loaded = stnkit.load_run(run.path)
    images = loaded.data.fixed("test").images[:10]
    moving, fixed = images[:, :1], images[:, 1:]
    with torch.no_grad():
        warped = loaded.network.transformer(images)
    expected = [moving, fixed, warped, (warped - fixed).abs(), (warped + fixed) / 2]
    for strip, shown in zip(gallery.samples[:5], expected, strict=True):
        np.testing.assert_allclose(pixels(strip), tiles(shown), atol=2 / 255)
    window, unknown = gallery.samples[0].outlines.values()
    # The middle half of 16 pixels, from 4 to 12, closed.
    assert window[3] == "M4.0 4.0L8.0 4.0L12.0 4.0L12.0 8.0L12.0 12.0L8.0 12.0L4.0 12.0L4.0 8.0L4.0 4.0"
    assert (unknown[0], unknown[3]) == ("", window[3])
    assert not any(strip.outlines for strip in gallery.samples[1:5])
    table = make_table([run])
    page = make_page(table, None, [])
    assert table.metrics == ["test_mismatch"]
    assert '<ul class="outlines">' in page
    assert "<dt>test_mismatch, px</dt>" in page
    assert page.count('<svg class="outline"') == 2 * 2
    # Five rows of about the same height in the picture of the run, beside a legend.
    height, width = matplotlib.image.imread(json.loads((run.path / "metrics.json").read_text())["picture"]).shape[:2]
    assert height == pytest.approx(130 * (5 * 1.2 + 0.2), abs=2)
    assert width == pytest.approx(130 * (1.1 * 10 + 0.5), abs=2)


@pytest.mark.training
def test_images_without_labels_have_one_mean(trained):
    run = trained("objective=brightest", "dataset=blobs", "distortion=rotation")
    gallery = Galleries().draw(Cell((run,), 1))
    assert (gallery.classes, gallery.names) == ((), ())
    assert [(strip.name, strip.n) for strip in gallery.samples] == [
        ("distorted", 10),
        ("transformed", 10),
        ("distorted", 4),
        ("transformed", 4),
    ]
    assert [(strip.name, strip.n) for strip in gallery.means] == [
        ("undistorted", 1),
        ("distorted", 1),
        ("transformed", 1),
    ]
    loaded = stnkit.load_run(run.path)
    images = loaded.data.fixed("test").images[:]
    with torch.no_grad():
        means = [loaded.data.split("test")[0].float().mean(dim=0) / 255, images.mean(dim=0)]
        means.append(loaded.network.transformer(images).mean(dim=0))
    white = max(float(mean.max()) for mean in means)
    for strip, mean in zip(gallery.means, means, strict=True):
        np.testing.assert_allclose(pixels(strip), tiles(mean[None] / white), atol=2 / 255)
    page = make_page(make_table([run]), None, [])
    assert "transformed mean of all</span>" in page
    assert "of each class" not in page.split("<article", 1)[1]


@pytest.mark.training
def test_a_run_does_not_fail_by_a_picture(trained):
    run = trained("objective=careless", "dataset=blobs", "distortion=none")
    reason = "Careless.pictures: crop: expected 10 images, (B, K, H, W), got shape [1, 1, 8, 8]"
    assert f"transformer.png without the pictures of Careless: {reason}" in (run.path / "train.log").read_text()
    assert (run.status, Path(run.record["picture"]).name) == ("completed", "transformer.png")
    assert Path(run.record["picture"]).is_file()
    assert Galleries().draw(Cell((run,), 1)).note.endswith(reason)


@pytest.mark.training
def test_parallel_transformers_are_shown_one_after_the_other(trained):
    overrides = ("network=paper_fcn", "network.hidden=[8]", "placement.parallel=2", "distortion=rotation")
    run = trained(*overrides, "training.batch_size=400")
    gallery = Galleries().draw(Cell((run,), 1))
    names = ["distorted 1", "transformed 1", "distorted 2", "transformed 2"]
    assert [strip.name for strip in gallery.samples] == names * 2
    assert [strip.name for strip in gallery.means] == ["undistorted", "distorted", *names[1::2]]
    loaded = stnkit.load_run(run.path)
    test = loaded.data.fixed("test")
    with torch.no_grad():
        images = test.images[[int((test.labels == label).nonzero()[0]) for label in range(10)]]
        second = loaded.network.transformer.transformers[1](images)
    np.testing.assert_allclose(pixels(gallery.samples[3]), tiles(second), atol=2 / 255)


@pytest.mark.training
def test_the_figures_of_each_image_of_a_run_can_be_computed(trained):
    run = trained("objective=match", "dataset=twins", "distortion=none")
    loaded = stnkit.load_run(run.path)
    batch = loaded.batch(loaded.data.fixed("test").rows(slice(None)))
    measured = loaded.objective.measure(batch)["mismatch"]
    assert measured.shape == (14,)
    assert float(measured.mean()) == pytest.approx(run.value("test_mismatch"), rel=1e-5)


class Odd(stnkit.Objective):
    figures: ClassVar = {"sum": Figure()}

    def __init__(self, pictures=None, outlines=None):
        super().__init__()
        self._shown = pictures or {}, outlines or {}

    def losses(self, batch):
        return {"loss": batch.straightened.sum()}

    def measure(self, batch):
        return {"sum": batch.straightened.flatten(1).sum(dim=1)}

    def pictures(self, batch):
        return self._shown[0]

    def outlines(self, batch):
        return self._shown[1]


def transformer(n_channels, moving=None):
    return stnkit.SpatialTransformer(
        stnkit.build("localizer", "fully_connected", in_shape=(n_channels, 8, 8)),
        stnkit.build("transform", "affine"),
        stnkit.build("sampler", "bilinear"),
        sampled_channels=moving,
    ).eval()


def batch_of(images):
    none = torch.zeros(len(images))
    return Batch(images, none, None, None, images, none, torch.nn.Identity(), torch.Generator())


@pytest.mark.parametrize(
    ("shown", "message"),
    [
        ({"pictures": {"crop": torch.zeros(2, 1, 8, 8)}}, r"Odd.pictures: crop: expected 3 images, .* \[2, 1, 8, 8\]"),
        ({"pictures": {"crop": torch.zeros(3, 8, 8)}}, r"Odd.pictures: crop: expected 3 images, .* \[3, 8, 8\]"),
        ({"outlines": {"box": torch.zeros(3, 4)}}, r"Odd.outlines: box: expected the points of 3 lines, .* \[3, 4\]"),
        ({"outlines": {"box": torch.zeros(3, 4, 3)}}, r"Odd.outlines: box: expected .* got shape \[3, 4, 3\]"),
    ],
)
def test_pictures_of_another_shape_are_refused_in_a_sentence(shown, message):
    images = torch.rand(3, 1, 8, 8)
    with pytest.raises(stnkit.errors.InputError, match=f"^{message}$"):
        with_objective(transformed_rows(transformer(1), images), Odd(**shown), batch_of(images))


def test_a_difference_of_the_objective_replaces_that_of_the_pair():
    images = torch.rand(3, 2, 8, 8)
    own = torch.full((3, 1, 8, 8), 0.25)
    rows = with_objective(transformed_rows(transformer(2, 1), images), Odd({"difference": own}), batch_of(images))
    assert [row.name for row in rows] == ["moving", "fixed", "warped", "difference"]
    assert torch.equal(rows[-1].images, own)
    # At the identity the moving image is as it was.
    torch.testing.assert_close(rows[2].images, images[:, :1])


def test_outlines_are_drawn_in_the_picture_of_a_run(tmp_path):
    images, model = torch.zeros(2, 1, 8, 8), transformer(1)
    square = coordinates.border().expand(2, -1, -1) / 2
    colors = []
    for outlines in ({}, {"window": square}):
        path = draw_before_and_after(
            {"input": (model, images)}, tmp_path / "picture.png", (), Odd({}, outlines), batch_of(images)
        )
        shown = matplotlib.image.imread(path)[..., :3]
        colors.append(int((abs(shown - matplotlib.colors.to_rgb("tab:green")) < 0.02).all(axis=-1).sum()))
    assert colors[0] == 0 < colors[1]
