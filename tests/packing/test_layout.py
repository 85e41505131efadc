import pytest

from stnkit.errors import DataError, InputError
from stnkit.packing.layout import find_layout
from tests.packing.pictures import write_image, write_splits, write_tree


@pytest.mark.parametrize("validation", ["validation", "val"])
def test_folders_of_splits_and_classes_are_found(validation, tmp_path):
    root = write_splits(tmp_path / "images", classes=("b", "a", "C"))
    (root / "validation").rename(root / validation)
    (root / "train" / ".hidden").mkdir()
    layout = find_layout(root, None)
    assert layout.classes == ("C", "a", "b")
    assert layout.folders == {"train": "train", "validation": validation, "test": "test"}
    assert layout.class_folders()[3:5] == [(f"{validation}/C", 0), (f"{validation}/a", 1)]


def test_one_tree_has_its_classes_at_the_root(tmp_path):
    layout = find_layout(write_tree(tmp_path, 1), [0.8, 0.1, 0.1])
    assert layout.class_folders() == [("cat", 0), ("dog", 1)]
    assert layout.shares == (0.8, 0.1, 0.1)


def test_without_labels_the_folders_of_splits_have_the_images(tmp_path):
    root = write_splits(tmp_path)
    assert find_layout(root, None, labels=False).class_folders() == [("train", 0), ("validation", 0), ("test", 0)]
    assert find_layout(root / "train", [0.8, 0.1, 0.1], labels=False).class_folders() == [("", 0)]


def test_a_flat_folder_is_asked_for_shares_alone(tmp_path):
    message = r"test, or dataset.split=\[0.8,0.1,0.1\], got cat, dog$"
    with pytest.raises(DataError, match=message):
        find_layout(write_tree(tmp_path, 1), None, labels=False)


def test_a_class_that_only_train_has_is_no_mistake(tmp_path):
    root = write_splits(tmp_path)
    write_image(root, "train/bird/0.png")
    assert find_layout(root, None).classes == ("bird", "cat", "dog")


@pytest.mark.parametrize("split", [[0.5, 0.5], [0.8, 0.2, 0.0], [0.8, 0.1, 0.2], [1.2, -0.1, -0.1], [float("nan")] * 3])
def test_shares_that_are_no_split_are_refused(split, tmp_path):
    with pytest.raises(InputError, match=r"dataset.split: expected three positive numbers with a sum of 1, .* got \["):
        find_layout(write_tree(tmp_path, 1), split)


def damage(root, change):
    """One mistake in a folder that is right."""
    if change == "file":
        write_image(root, "root.png").rename(root / "file")
        return root / "file"
    if change == "missing":
        return root / "nowhere"
    if change == "no split":
        (root / "validation").rename(root / "check")
    if change == "no splits":
        return root / "train"
    if change == "both":
        (root / "val").mkdir()
    if change == "unknown":
        write_image(root, "test/bird/0.png")
    if change == "one class":
        for split in ("train", "validation", "test"):
            (root / split / "cat").rename(root / split / ".cat")
    if change == "no class":
        for label in ("cat", "dog"):
            (root / "train" / label).rename(root / "train" / f".{label}")
    return root


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("missing", "dataset.root=.*nowhere: that folder does not exist"),
        ("file", "dataset.root=.*file cannot be read as a folder: Not a directory"),
        ("no split", r"validation \(or val\) and test, got check, test, train: there is no validation$"),
        ("no splits", r"or class folders and dataset.split=\[0.8,0.1,0.1\], got cat, dog$"),
        ("both", "expected one of validation and val, got both"),
        ("unknown", "test: expected the classes of .*train, got also bird"),
        ("one class", "train: expected a folder for each of at least two classes, or dataset.labels=false, got dog"),
        ("no class", "classes, or dataset.labels=false, got no folders"),
    ],
)
def test_a_wrong_layout_is_one_sentence(change, message, tmp_path):
    root = damage(write_splits(tmp_path), change)
    with pytest.raises(DataError, match=message) as error:
        find_layout(root, None)
    assert "\n" not in str(error.value)


def test_shares_beside_folders_of_splits_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"dataset.split: expected null for the folders test, train, validation"):
        find_layout(write_splits(tmp_path), [0.8, 0.1, 0.1])


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        (("train", "val"), "test"),
        (("train", "validation"), "test"),
        (("test", "val"), "train"),
        (("test", "train"), "validation"),
    ],
)
def test_two_folders_of_splits_are_no_classes(names, missing, tmp_path):
    for name in names:
        write_tree(tmp_path / name, 1)
    with pytest.raises(InputError, match=f"dataset.split: expected null for the folders {', '.join(names)} of"):
        find_layout(tmp_path, [0.8, 0.1, 0.1])
    with pytest.raises(DataError, match=f"and test, got {', '.join(names)}: there is no {missing}$"):
        find_layout(tmp_path, None)


def test_one_class_may_have_the_name_of_a_split(tmp_path):
    for name in ("bus", "train"):
        write_image(tmp_path, f"{name}/0.png")
    assert find_layout(tmp_path, [0.8, 0.1, 0.1]).classes == ("bus", "train")


def test_a_link_to_itself_is_no_class(tmp_path):
    write_tree(tmp_path, 1)
    (tmp_path / "loop").symlink_to("loop")
    assert find_layout(tmp_path, [0.8, 0.1, 0.1]).classes == ("cat", "dog")
