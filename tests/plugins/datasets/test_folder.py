import os

import numpy as np
import pytest

import stnkit
from tests.packing.pictures import expected_images, write_image, write_splits, write_tree


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("STNKIT_CACHE", str(tmp_path / "cache"))


def folder(root, **options):
    return stnkit.build("dataset", "folder", root=str(root), **options)


@pytest.mark.no_jaxtyping  # an unknown split reaches the component
@pytest.mark.parametrize("options", [{}, {"channels": 1, "size": [5, 7], "fit": "crop"}])
def test_a_folder_passes_the_checks_of_datasets(options, tmp_path):
    results = stnkit.testing.run("dataset.folder", root=str(write_splits(tmp_path / "images", 6)), **options)
    assert "13 passed" in str(results), str(results)


def test_shape_and_classes_are_known_before_anything_is_packed(tmp_path):
    dataset = folder(write_splits(tmp_path / "images", height=5, width=9))
    assert dataset.image_shape == (3, 5, 9)
    assert (dataset.n_classes, dataset.class_names) == (2, ("cat", "dog"))
    assert not (tmp_path / "cache").exists()
    assert folder(tmp_path / "images", size=[2, 3], channels=1).image_shape == (1, 2, 3)


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("one_tree", [True, False])
def test_images_without_labels_are_all_that_are_there(one_tree, tmp_path):
    root = write_tree(tmp_path / "images", 30) if one_tree else write_splits(tmp_path / "images", 5)
    names = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.png"))
    split = {"split": [0.6, 0.2, 0.2]} if one_tree else {}
    dataset = folder(root, labels=False, **split)
    assert (dataset.n_classes, dataset.class_names, dataset.target_shape) == (0, None, (0,))
    parts = {name: dataset.split(name) for name in ("train", "validation", "test")}
    found = [image.tobytes() for images, _ in parts.values() for image in images.numpy()]
    assert sorted(found) == sorted(image.tobytes() for image in expected_images(names))
    assert all(targets.shape == (len(images), 0) for images, targets in parts.values())
    if one_tree:  # an image has the split that it has with labels
        with_labels = folder(root, **split)
        for name, (images, _) in parts.items():
            assert sorted(i.tobytes() for i in images.numpy()) == sorted(
                i.tobytes() for i in with_labels.split(name)[0].numpy()
            )
    results = stnkit.testing.run("dataset.folder", root=str(root), labels=False, **split)
    assert "passed" in str(results), str(results)
    assert "failed" not in str(results), str(results)


def test_the_shape_is_that_of_an_upright_image(tmp_path):
    from PIL import Image

    root = write_splits(tmp_path / "images")
    first = Image.new("RGB", (8, 6))
    exif = first.getexif()
    exif[0x0112] = 6
    first.save(root / "train" / "cat" / "0.png", exif=exif)
    assert folder(root).image_shape == (3, 8, 6)


def test_splits_of_folders_have_their_images(tmp_path):
    dataset = folder(write_splits(tmp_path / "images", 2))
    for split in ("train", "validation", "test"):
        images, labels = dataset.split(split)
        names = [f"{split}/{label}/{i}.png" for label in ("cat", "dog") for i in range(2)]
        assert np.array_equal(images.numpy(), expected_images(names))
        assert labels.tolist() == [0, 0, 1, 1]


def test_one_tree_is_split_without_loss_or_overlap(tmp_path):
    root = write_tree(tmp_path / "images", 30)
    dataset = folder(root, split=[0.6, 0.2, 0.2])
    found = [image.tobytes() for split in ("train", "validation", "test") for image in dataset.split(split)[0].numpy()]
    names = [f"{label}/{i}.png" for label in ("cat", "dog") for i in range(30)]
    assert sorted(found) == sorted(image.tobytes() for image in expected_images(names))


def test_a_folder_is_the_source_of_another_dataset(tmp_path):
    root = write_splits(tmp_path / "images", 4)
    addition = stnkit.build("dataset", "addition", source={"name": "folder", "root": str(root)})
    assert addition.split("train")[0].shape == (8, 6, 6, 8)


def test_the_first_image_that_can_be_decoded_gives_the_shape(tmp_path):
    root = write_splits(tmp_path / "images")
    (root / "train" / "cat" / "0.png").write_text("a text")
    with pytest.raises(stnkit.errors.DataError, match=r"train/cat/0.png cannot be decoded: Pillow finds"):
        folder(root)
    assert folder(root, skip_broken=True).image_shape == (3, 6, 8)


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": [0, 5]}, r"dataset.size: expected \[H, W\], each from 1 to 65535, got \[0, 5\]"),
        ({"split": [0.5, 0.5]}, "dataset.split: expected three positive numbers"),
        ({"workers": 0}, "dataset.workers: expected at least 1, got 0"),
        ({"cache": "inside"}, "dataset.cache: expected a folder outside of dataset.root="),
        ({"fit": "squeeze"}, "fit"),
        ({"channels": 4}, "dataset.channels: expected 1 or 3, got 4"),
    ],
)
def test_options_out_of_range_are_refused(options, message, tmp_path):
    root = write_splits(tmp_path / "images")
    if "cache" in options:
        options = {"cache": str(root / options["cache"])}
    with pytest.raises(stnkit.errors.InputError, match=message):
        folder(root, **options)


def test_an_empty_split_and_a_missing_class_are_one_sentence(tmp_path):
    root = write_splits(tmp_path / "images")
    for label in ("cat", "dog"):
        for path in (root / "validation" / label).iterdir():
            path.unlink()
    with pytest.raises(stnkit.errors.DataError, match="expected images in each split, got none of 12 in validation"):
        folder(root).split("train")
    (root / "train" / "ant").mkdir()
    write_image(root, "validation/ant/0.png")
    with pytest.raises(stnkit.errors.DataError, match="expected images of each class in train, got none of ant"):
        folder(root).split("train")


def test_a_cache_that_links_to_itself_is_one_sentence(tmp_path):
    root = write_splits(tmp_path / "images")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(stnkit.errors.InputError, match=r"dataset.cache: expected a folder, got .*loop, a link that"):
        folder(root, cache=str(tmp_path / "loop"))


def test_files_that_are_none_do_not_stop_a_folder(tmp_path):
    root = write_splits(tmp_path / "images")
    os.mkfifo(root / "train" / "cat" / "00.png")
    (root / "x5").symlink_to("x5")
    assert folder(root).split("train")[0].shape == (6, 3, 6, 8)
