"""Patches of photographs: of a split each, and the same at every call."""

import numpy as np
import pytest
import torch
from PIL import Image

import stnkit

DataError, InputError = stnkit.errors.DataError, stnkit.errors.InputError
SPLITS = ("train", "validation", "test")


def built(**options):
    return stnkit.build("dataset", "homography_pairs", **options)


@pytest.fixture
def photographs(tmp_path):
    """Two photographs of which every split has a gray of its own."""
    for name, height, width, base in (("a.png", 200, 300, 0), ("nested/b.jpg", 260, 320, 120)):
        gray = np.full((height, width), base + 10, np.uint8)
        gray[round(0.55 * height) :] = base + 50
        gray[round(0.55 * height) :, width // 2 :] = base + 90
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(gray).save(path, **({"quality": 100} if path.suffix == ".jpg" else {}))
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / ".hidden.png").write_bytes(b"no image either")
    return tmp_path


def test_the_splits_show_disjoint_parts_of_each_photograph(photographs):
    pairs = built(root=str(photographs), size=96, patches=(40, 20, 20), contrast=0.0)
    assert (pairs.class_names, pairs.n_classes, pairs.image_shape) == (("a.png", "b.jpg"), 2, (2, 96, 96))
    for name, gray in zip(SPLITS, (10, 50, 90), strict=True):
        images, numbers = pairs.split(name)
        expected = (gray + 120 * numbers).view(-1, 1, 1, 1).expand_as(images)
        # Blocks of JPEG cross the borders of parts: their ringing is the file's own.
        difference = (images.int() - expected).abs()
        assert int(difference[numbers == 0].max()) == 0
        assert int(difference.max()) <= 12
        assert float(difference.double().mean()) < 0.2


def test_both_images_of_a_pair_are_the_same_memory():
    images, _ = built(patches=(4, 2, 2)).split("train")
    assert images.shape == (4, 2, 192, 192)
    assert torch.equal(images[:, 0], images[:, 1])
    assert images[:, 0].data_ptr() == images[:, 1].data_ptr()


def test_a_patch_depends_on_its_split_and_index_alone():
    few, many = built(patches=(6, 2, 2)).split("train")[0], built(patches=(12, 8, 8)).split("train")[0]
    assert torch.equal(many[:6], few)
    flat = many[:, 0].flatten(1)
    assert len(flat.unique(dim=0)) == 12
    assert not torch.equal(few[:2], built(patches=(6, 2, 2)).split("test")[0])


def test_a_patch_is_a_square_of_its_photograph_turned(tmp_path):
    # One gray ramp along x, the other along y: the patch's own ramps tell its turn, and their slopes its side.
    columns, rows = np.meshgrid(np.arange(320), np.arange(256))  # 141 rows of train
    for name, ramp in (("x", columns * 255 / 319), ("y", rows)):
        (tmp_path / name).mkdir()
        Image.fromarray(ramp.round().astype(np.uint8)).save(tmp_path / name / "ramp.png")
    along_x, along_y = (
        built(root=str(tmp_path / name), size=96, patches=(64, 1, 1), contrast=0.0).split("train")[0][:, 0].double()
        for name in "xy"
    )
    seen = set()
    for x, y in zip(along_x * 319 / 255, along_y, strict=True):
        jacobian = torch.stack(
            [torch.stack([ramp.diff(dim=axis)[8:-8, 8:-8].mean() for axis in (1, 0)]) for ramp in (x, y)]
        )
        scale = jacobian.abs().amax()
        turn = (jacobian / scale).round()
        torch.testing.assert_close(jacobian, turn * scale, atol=0.03, rtol=0)
        assert 64 / 96 - 0.02 <= float(scale) <= 141 / 96 + 0.02
        seen.add(tuple(turn.int().flatten().tolist()))
    assert len(seen) == 8  # the symmetries of the square


def test_every_quarter_of_a_patch_has_contrast(tmp_path):
    # Noise in the left half of the photograph, and nothing in the right one.
    gray = np.random.default_rng(0).integers(0, 256, (200, 600))
    gray[:, 300:] = 128
    Image.fromarray(gray.astype(np.uint8)).save(tmp_path / "half.png")
    images, _ = built(root=str(tmp_path), size=96, patches=(30, 1, 1), contrast=20.0).split("train")
    quarters = images[:, 0].double().unfold(1, 48, 48).unfold(2, 48, 48).flatten(3).std(dim=3)
    assert float(quarters.min()) > 10  # less than 20, since a patch is resized
    plain, _ = built(root=str(tmp_path), size=96, patches=(30, 1, 1), contrast=0.0).split("train")
    assert float(plain[:, 0].double().flatten(1).std(dim=1).min()) < 1


def test_without_any_contrast_there_are_patches_all_the_same(photographs):
    images, _ = built(root=str(photographs), size=96, patches=(2, 2, 2)).split("test")
    assert images.shape == (2, 2, 96, 96)


def test_more_photographs_than_patches_are_not_all_used(photographs):
    pairs = built(root=str(photographs), size=96, patches=(1, 1, 1))
    assert pairs.class_names == ("a.png",)


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patches": (0, 1, 1)}, "patches: expected three numbers of at least 1, got [0, 1, 1]"),
        ({"size": 4}, "size: expected at least 8, got 4"),
        ({"contrast": -1.0}, "contrast: expected a number of at least 0, got -1.0"),
    ],
)
def test_options_of_homography_pairs_out_of_range_are_refused(options, message):
    with pytest.raises(InputError) as error:
        built(**options)
    assert message in str(error.value)


@pytest.mark.no_jaxtyping
def test_a_split_of_another_name_is_refused():
    with pytest.raises(InputError, match="expected a split of train, validation, test, got 'val'"):
        built().split("val")


def test_a_photograph_that_is_too_small_is_refused_by_name(photographs):
    with pytest.raises(DataError, match=r"a.png: expected a photograph of at least 268×298 pixels .* got 300×200"):
        built(root=str(photographs), size=200).split("train")


def test_a_folder_without_photographs_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"dataset.root=.*: expected images, got a folder without any"):
        built(root=str(tmp_path))
    with pytest.raises(DataError, match=r"dataset.root: expected a folder of images, got .*nowhere, which is none"):
        built(root=str(tmp_path / "nowhere"))


def test_a_broken_photograph_is_refused_by_name(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"broken.jpg cannot be decoded: Pillow finds no image in it"):
        built(root=str(tmp_path)).split("train")
