import pytest

from stnkit.errors import DataError
from stnkit.packing.assignment import assign, check_counts, splits_of_names
from stnkit.packing.layout import find_layout
from stnkit.packing.listing import list_files
from stnkit.shares import SPLITS
from tests.packing.pictures import write_image, write_splits, write_tree

FRACTIONS = [0.6, 0.2, 0.2]


def assigned(root, split=None):
    layout = find_layout(root, split)
    return layout, assign(list_files(layout))


def sides(root, split):
    """The split of each file."""
    _, assignment = assigned(root, split)
    ends, side = 0, {}
    for name in SPLITS:
        count = sum(assignment.counts[name])
        side |= dict.fromkeys(assignment.names[ends : ends + count], name)
        ends += count
    assert ends == len(assignment.names) == len(side)
    return side


def test_folders_decide_and_labels_are_in_order(tmp_path):
    root = write_splits(tmp_path, n=2)
    write_image(root, "train/ant/0.png")
    (root / "validation").rename(root / "val")
    _, assignment = assigned(root)
    assert assignment.counts == {"train": [1, 2, 2], "validation": [0, 2, 2], "test": [0, 2, 2]}
    assert assignment.names[:3] == ["train/ant/0.png", "train/cat/0.png", "train/cat/1.png"]
    assert assignment.names[5] == "val/cat/0.png"
    assert assignment.names[-1] == "test/dog/1.png"


def test_a_file_never_changes_sides_when_others_come_and_go(tmp_path):
    root = write_tree(tmp_path, 40)
    before = sides(root, FRACTIONS)
    assert set(before.values()) == set(SPLITS)
    for i in range(40, 80):
        write_image(root, f"cat/{i}.png")
    write_image(root, "bird/0.png")
    for i in range(0, 40, 3):
        (root / "dog" / f"{i}.png").unlink()
    after = sides(root, FRACTIONS)
    common = before.keys() & after.keys()
    assert len(common) > 60
    assert {name: before[name] for name in common} == {name: after[name] for name in common}


def test_a_larger_share_of_train_moves_files_only_into_it():
    names = [f"cat/{i}.png" for i in range(500)]
    small, large = (splits_of_names(names, f) for f in ((0.5, 0.25, 0.25), (0.7, 0.15, 0.15)))
    assert all(after == "train" for before, after in zip(small, large, strict=True) if before == "train")


def test_parts_of_many_names_are_the_shares():
    n = 20_000
    found = splits_of_names([f"class/{i}.png" for i in range(n)], (0.8, 0.1, 0.1))
    for split, share in zip(SPLITS, (0.8, 0.1, 0.1), strict=True):
        deviation = (n * share * (1 - share)) ** 0.5
        assert abs(found.count(split) - n * share) < 4 * deviation


def test_rows_that_are_left_out_are_those_of_their_names(tmp_path):
    _, assignment = assigned(write_splits(tmp_path))
    rest = assignment.without([0, 4, 17])
    gone = {assignment.names[row] for row in (0, 4, 17)}
    assert gone == {"train/cat/0.png", "train/dog/1.png", "test/dog/2.png"}
    assert rest.names == [name for name in assignment.names if name not in gone]
    assert rest.counts == {"train": [2, 2], "validation": [3, 3], "test": [3, 2]}


def test_an_empty_split_or_class_is_one_sentence(tmp_path):
    layout, assignment = assigned(write_splits(tmp_path / "splits"))
    with pytest.raises(DataError, match="expected images in each split, got none of 12 in validation"):
        check_counts(layout, {**assignment.counts, "validation": [0, 0]})
    with pytest.raises(DataError, match="expected images of each class in train, got none of dog"):
        check_counts(layout, {**assignment.counts, "train": [3, 0]})
    layout, assignment = assigned(write_tree(tmp_path / "tree", 1), [0.98, 0.01, 0.01])
    with pytest.raises(DataError, match=r"in each split with dataset.split=\[0.98, 0.01, 0.01\], got none of 2 in"):
        check_counts(layout, assignment.counts)
