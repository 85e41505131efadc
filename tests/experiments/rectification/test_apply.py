"""Apply, once more: no file takes the place of another's, and what is missing or has changed is made again."""

import csv
import json
import os
import re

import numpy as np
import pytest
import torch
from PIL import Image

import stnkit
from stnkit.errors import InputError
from stnkit.experiments.rectification.apply import Request, apply
from stnkit.experiments.rectification.names import taken_names
from stnkit.experiments.rectification.pictures import Picture
from stnkit.experiments.rectification.results import Options
from stnkit.files.arrays import ArrayLayout


@pytest.fixture
def folder(tmp_path):
    """A folder for the images."""
    (tmp_path / "images").mkdir()
    return tmp_path / "images"


@pytest.fixture
def applied(make_run, folder, tmp_path):
    """Rectifies the images with these options, by a run of these components."""

    def run(progress=lambda done, of: None, components=None, **options):
        rectifier = make_run(**(components or {})).rectifier()
        return apply(rectifier, Request([folder], tmp_path / "out", Options(**options), {}), progress)

    return run


def draw(path, value=100, size=(20, 30)):
    Image.fromarray(np.full(size, value, np.uint8)).save(path)


def files_in(folder):
    """Names of the files of a folder and below, without the tables and the journal."""
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return sorted(names - {"theta.csv", "theta.json", ".stnkit-apply.jsonl"})


def test_a_later_file_takes_no_written_result_s_name(applied, folder, tmp_path):
    draw(folder / "a.gif")
    assert [row.output for row in applied().rows] == ["a.gif.png"]
    before = (tmp_path / "out" / "a.gif.png").read_bytes(), (tmp_path / "out" / "theta.csv").read_bytes()
    draw(folder / "a.gif.png", value=200)
    message = "expected one file for each name of a result, got two for a.gif.png: of a.gif.png and of a.gif"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        applied()
    assert before == ((tmp_path / "out" / "a.gif.png").read_bytes(), (tmp_path / "out" / "theta.csv").read_bytes())


def test_a_file_without_a_result_takes_no_name(applied, folder):
    (folder / "a.gif").write_bytes(b"no image")
    assert [row.file for row in applied().failed] == ["a.gif"]
    (folder / "a.gif").unlink()
    draw(folder / "a.gif.png")
    assert applied().failed == []


def test_a_file_that_has_changed_keeps_its_result_s_name(applied, folder, tmp_path):
    draw(folder / "a.gif")
    applied()
    draw(folder / "a.gif", size=(40, 50))
    found = applied()
    assert (found.made, found.failed, [row.output for row in found.rows]) == (1, [], ["a.gif.png"])
    with Image.open(tmp_path / "out" / "a.gif.png") as image:
        assert image.size == (50, 40)


def test_numbers_of_several_transformers_are_no_clash(applied, folder, tmp_path):
    draw(folder / "a.png")
    components = {"placement": {"parallel": 2}}
    applied(components=components)
    draw(folder / "a.0.png")
    assert applied(components=components).failed == []
    assert files_in(tmp_path / "out") == ["a.0.0.png", "a.0.1.png", "a.0.png", "a.1.png"]


def test_a_file_that_changes_meanwhile_is_made_again(applied, folder, tmp_path):
    names = [f"{i}.png" for i in range(4)]
    for name in names:
        draw(folder / name)

    def change(done, of):
        if done == 1:
            for name in names:
                draw(folder / name, size=(40, 50))

    applied(change)
    assert applied().made >= 1
    for name in names:
        with Image.open(tmp_path / "out" / name) as image:
            assert image.size == (50, 40)
    assert applied().made == 0


def test_a_file_that_is_gone_is_not_counted_as_failed(applied, folder):
    draw(folder / "a.png")
    (folder / "b.png").write_bytes(b"no image")
    found = applied()
    assert (found.made, found.before, [row.file for row in found.failed]) == (2, 0, ["b.png"])
    (folder / "b.png").unlink()
    found = applied()
    assert (found.made, found.before, found.failed) == (0, 1, [])
    assert [row.file for row in found.rows] == ["a.png", "b.png"]


@pytest.mark.parametrize(
    ("options", "name"), [({"overlay": True}, "--overlay"), ({"size": (8, 8)}, "--size"), ({"scale": 2.0}, None)]
)
def test_options_of_pictures_are_refused_for_volumes(options, name, make_run, folder, tmp_path):
    components = {"transform": {"name": "affine", "ndim": 3}, "localizer": {"name": "fully_connected"}}
    rectifier = make_run(in_shape=(1, 6, 7, 8), **components).rectifier()
    np.save(folder / "volumes.npy", np.zeros((1, 1, 6, 7, 8), np.float32))
    request = Request([folder], tmp_path / "out", Options(**options), {})
    if name is None:
        (row,) = apply(rectifier, request).rows
        assert (row.error, row.out_size) == ("", [12, 14, 16])
    else:
        message = f"^{name}: expected a run of images of two dimensions, got volumes$"
        with pytest.raises(InputError, match=message):
            apply(rectifier, request)
        assert not (tmp_path / "out").exists()


def test_gray_volumes_have_results_of_their_layout(make_run, folder, tmp_path):
    components = {"transform": {"name": "affine", "ndim": 3}, "localizer": {"name": "fully_connected"}}
    rectifier = make_run(in_shape=(1, 6, 7, 8), **components).rectifier()
    rectifier.array_layout = ArrayLayout.ndhw
    volumes = np.random.default_rng(0).random((2, 6, 7, 8), dtype=np.float32)
    np.save(folder / "volumes.npy", volumes)
    rows = apply(rectifier, Request([folder], tmp_path / "out", Options(), {})).rows
    assert [(row.error, row.out_size) for row in rows] == [("", [6, 7, 8])] * 2
    (image,) = rectifier.network.transformer(torch.from_numpy(volumes[1:, None]))[0]
    np.testing.assert_allclose(np.load(tmp_path / "out" / "volumes.npy")[1], image.detach(), atol=1e-6)


@pytest.mark.parametrize("name", ["a.png", "maps/a.png.npy", "overlay/a.png"])
def test_a_file_that_was_removed_is_made_again(name, applied, folder, tmp_path):
    draw(folder / "a.png")
    draw(folder / "b.png")
    options = {"components": {"transform": {"name": "tps"}}, "maps": True, "overlay": True}
    (row, _) = applied(**options).rows
    assert row.written == ["a.png", "maps/a.png.npy", "overlay/a.png"]
    (tmp_path / "out" / name).unlink()
    found = applied(**options)
    assert (found.made, found.before) == (1, 1)
    assert (tmp_path / "out" / name).is_file()
    assert applied(**options).made == 0


def test_without_maps_and_overlays_none_are_missed(applied, folder):
    draw(folder / "a.png")
    (row,) = applied(maps=True).rows  # an affine transform has no map
    assert (row.map, row.overlay, row.written) == ("", "", ["a.png"])
    assert applied(maps=True).made == 0


class Bent(stnkit.TransformFamily):
    """An affine map and a wave whose strength is learned."""

    n_params = 6

    def __init__(self):
        super().__init__()
        self.strength = torch.nn.Parameter(torch.tensor(0.1))

    def identity(self):
        return torch.tensor([1, 0, 0, 0, 1, 0], dtype=torch.float64)

    def forward(self, theta, points):
        rows = theta.view(-1, 2, 3)
        affine = points @ rows[..., :2].mT + rows[:, None, :, 2]
        return affine + self.strength.to(points) * torch.sin(3 * points.flip(-1))


def test_a_family_with_weights_has_maps_and_overlays(make_run, folder, tmp_path):
    draw(folder / "a.png")
    run = make_run()
    run.network.transformer.family = family = Bent()
    options = Options(size=(6, 5), maps=True, overlay=True)
    found = apply(run.rectifier(), Request([folder], tmp_path / "out", options, {}))
    (row,) = found.rows
    assert (row.error, row.overlay) == ("", "overlay/a.png")
    pixels = np.load(tmp_path / "out" / row.map)
    with torch.no_grad():
        expected = stnkit.coordinates.to_pixels(family.grid(torch.tensor([row.theta]), (6, 5)), (20, 30))[0]
    np.testing.assert_allclose(pixels, expected, atol=1e-4)


def test_a_result_that_cannot_be_written_leaves_no_file(applied, folder, tmp_path, monkeypatch):
    draw(folder / "a.png")
    write = Picture.write

    def fail_at_the_second(self, planes, path):
        if path.name == "a.1.png":
            raise OSError(28, "No space left on device")
        write(self, planes, path)

    monkeypatch.setattr(Picture, "write", fail_at_the_second)
    components = {"placement": {"parallel": 2}}
    (row,) = applied(components=components, overlay=True).failed
    assert row.error == "the result cannot be written: No space left on device"
    assert files_in(tmp_path / "out") == []


@pytest.mark.slow
def test_an_array_that_fails_late_leaves_no_overlays(applied, folder, tmp_path):
    images = np.zeros((40, 3, 24, 32), np.float32)
    images[35] = np.nan
    np.save(folder / "a.npy", images)
    (row,) = applied(overlay=True).failed
    assert row.error == "expected finite images, got NaN or infinity in image 35"
    assert files_in(tmp_path / "out") == []
    np.save(folder / "a.npy", np.zeros_like(images))
    assert applied(overlay=True).failed == []
    assert len(files_in(tmp_path / "out")) == 41


def test_floats_of_another_format_have_a_result_and_overlay(applied, folder, tmp_path):
    given = np.linspace(0, 1, 600, dtype="<f4").reshape(20, 30)
    (folder / "a.pfm").write_bytes(b"Pf\n30 20\n-1.0\n" + given.tobytes())
    assert applied(overlay=True).failed == []
    assert files_in(tmp_path / "out") == ["a.pfm.tif", "overlay/a.pfm.png"]


def test_a_size_that_a_format_does_not_hold_is_a_sentence(applied, folder, tmp_path):
    draw(folder / "a.webp")
    draw(folder / "b.png")
    (row,) = applied(overlay=True, size=(4, 17_000)).failed
    assert (row.file, row.error[:30]) == ("a.webp", "the result cannot be written: ")
    assert "WebP limit of 16383 pixels" in row.error
    assert files_in(tmp_path / "out") == ["b.png", "overlay/b.png"]


def test_numbered_overlays_of_an_array_are_no_clash():
    taken = taken_names(["vol.npy", "vol.1.npy"], {"overlay/vol.1.npy.png": "vol.npy"}, overlay=True, maps=True)
    assert taken["overlay/vol.1.npy.png"] == "vol.npy"
    with pytest.raises(InputError, match=r"got two for overlay/a\.png"):
        taken_names(["a.png"], {"overlay/a.png": "b.npy"}, overlay=True)


def test_a_name_that_is_no_text_is_a_row_of_both_tables(applied, folder, tmp_path):
    draw(folder / "a.png")
    draw(folder / os.fsdecode(b"bad\xff.png"))
    assert applied(overlay=True).failed == []
    told = json.loads((tmp_path / "out" / "theta.json").read_text(encoding="utf-8"))
    assert [os.fsencode(row["output"]) for row in told["rows"]] == [b"a.png", b"bad\xff.png"]
    with (tmp_path / "out" / "theta.csv").open(encoding="utf-8") as file:
        assert [row["output"] for row in csv.DictReader(file)] == ["a.png", r"bad\udcff.png"]
    assert applied(overlay=True).before == 2


def test_a_table_that_cannot_be_written_costs_no_other(applied, folder, tmp_path):
    draw(folder / "a.png")
    (tmp_path / "out" / "theta.csv").mkdir(parents=True)
    (tmp_path / "out" / ".stnkit-apply.jsonl").touch()
    with pytest.raises(IsADirectoryError):
        applied()
    (row,) = json.loads((tmp_path / "out" / "theta.json").read_text())["rows"]
    assert row["output"] == "a.png"


def test_a_file_that_breaks_takes_its_former_result_along(applied, folder, tmp_path):
    draw(folder / "a.png")
    draw(folder / "b.png")
    options = {"components": {"transform": {"name": "tps"}}, "maps": True, "overlay": True}
    applied(**options)
    (folder / "a.png").write_bytes(b"no image")
    assert [row.file for row in applied(**options).failed] == ["a.png"]
    assert files_in(tmp_path / "out") == ["b.png", "maps/b.png.npy", "overlay/b.png"]


def test_a_result_of_another_name_replaces_the_former_one(applied, folder, tmp_path):
    Image.new("CMYK", (30, 20)).save(folder / "a.gif", format="TIFF")
    applied(overlay=True)
    assert files_in(tmp_path / "out") == ["a.gif", "overlay/a.gif.png"]
    draw(folder / "a.gif")
    applied(overlay=True)
    assert files_in(tmp_path / "out") == ["a.gif.png", "overlay/a.gif.png"]


def test_a_shorter_array_has_no_overlays_of_the_longer_one(applied, folder, tmp_path):
    np.save(folder / "a.npy", np.zeros((3, 3, 24, 32), np.float32))
    applied(overlay=True)
    assert len(files_in(tmp_path / "out")) == 4
    np.save(folder / "a.npy", np.zeros((1, 3, 24, 32), np.float32))
    assert applied(overlay=True).failed == []
    assert files_in(tmp_path / "out") == ["a.npy", "overlay/a.0.npy.png"]


def test_an_image_beyond_the_limit_is_a_row_with_its_reason(applied, folder, monkeypatch):
    draw(folder / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 299)
    (row,) = applied().failed
    assert row.error == "expected at most 598 pixels, the limit of Pillow, got more"
