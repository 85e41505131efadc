"""Photographs, each in the memory of the one before it: the files are those of single images."""

import numpy as np
import pytest
import torch
from PIL import Image

from stnkit.experiments.rectification.apply import Request, apply
from stnkit.experiments.rectification.results import Options

pytestmark = pytest.mark.slow  # the images that its fixture makes


@pytest.fixture
def photographs(tmp_path):
    """A folder of JPEG files of other sizes and colors, large and small."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    for i, (height, width) in enumerate(((1100, 1000), (1000, 1200), (30, 40), (1050, 1000))):
        y, x = np.mgrid[:height, :width] / 50
        waves = [np.sin(x * (k + 1) + i) + np.cos(y + k * x) for k in range(3)]
        values = (127 + 60 * np.stack(waves, axis=-1)).clip(0, 255).astype(np.uint8)
        Image.fromarray(values).convert("L" if i == 3 else "RGB").save(folder / f"{i}.jpg", quality=90)
    return folder


def test_a_photograph_is_that_of_rectify_as_pillow_writes_it(make_run, photographs, tmp_path):
    run = make_run()
    found = apply(run.rectifier(), Request([photographs], tmp_path / "out", Options(), {}, workers=1))
    assert (len(found.rows), found.failed) == (4, [])
    for row in found.rows:
        with Image.open(photographs / row.file) as image:
            given, tables = np.array(image), image.quantization
        planes = torch.from_numpy(given if given.ndim == 3 else given[..., None]).movedim(-1, 0)
        expected = run.rectify(planes).image.movedim(0, -1).squeeze(-1).contiguous().numpy()
        options = {} if given.ndim == 2 else {"subsampling": 2}
        Image.fromarray(expected).save(tmp_path / "expected.jpg", qtables=tables, **options)
        with Image.open(tmp_path / "expected.jpg") as one, Image.open(tmp_path / "out" / row.output) as other:
            np.testing.assert_array_equal(np.array(other), np.array(one))


def test_two_threads_write_what_one_does(make_run, photographs, tmp_path):
    rectifier = make_run().rectifier()
    for workers in (1, 2):
        apply(rectifier, Request([photographs], tmp_path / str(workers), Options(), {}, workers=workers))
    for path in photographs.iterdir():
        assert (tmp_path / "1" / path.name).read_bytes() == (tmp_path / "2" / path.name).read_bytes()


def test_a_photograph_that_is_cut_short_is_a_row(make_run, photographs, tmp_path):
    data = (photographs / "1.jpg").read_bytes()
    (photographs / "1.jpg").write_bytes(data[: len(data) // 2])
    found = apply(make_run().rectifier(), Request([photographs], tmp_path / "out", Options(), {}, workers=1))
    assert [row.file for row in found.failed] == ["1.jpg"]
    assert not (tmp_path / "out" / "1.jpg").exists()
