"""Assignment: the split and the label of each file."""

import hashlib
import os
from dataclasses import dataclass

from stnkit.errors import DataError
from stnkit.packing.layout import SPLITS, Layout
from stnkit.packing.listing import Listing


@dataclass(frozen=True)
class Assignment:
    """The images in the order in which they are packed: by split, then by label, then by name.

    Args:
        names: below the root.
        counts: by split, the number of images of each label.
    """

    names: list[str]
    counts: dict[str, list[int]]

    def without(self, rows: list[int]) -> "Assignment":
        """The rest of the images.

        Args:
            rows: the places of those that are left out, ascending.
        """
        gone = set(rows)
        counts: dict[str, list[int]] = {}
        start = 0
        for split, of_labels in self.counts.items():
            counts[split] = []
            for count in of_labels:
                counts[split].append(count - sum(row in gone for row in range(start, start + count)))
                start += count
        return Assignment([name for row, name in enumerate(self.names) if row not in gone], counts)


def assign(listing: Listing) -> Assignment:
    """The split and the label of each file: from its folder, or from a hash of its name.

    Args:
        listing: of all files.
    """
    layout = listing.layout
    groups: dict[str, list[list[str]]] = {split: [[] for _ in layout.classes] for split in SPLITS}
    split_of = {} if layout.folders is None else {folder: split for split, folder in layout.folders.items()}
    for (folder, label), names in zip(layout.class_folders(), listing.names(), strict=True):
        if layout.fractions is None:
            groups[split_of[folder.partition("/")[0]]][label] += names
        else:
            for name in names:
                groups[split_of_name(name, layout.fractions)][label].append(name)
    names = [name for split in SPLITS for of_label in groups[split] for name in of_label]
    return Assignment(names, {split: [len(of_label) for of_label in groups[split]] for split in SPLITS})


def split_of_name(name: str, fractions: tuple[float, float, float]) -> str:
    """The split of a file, which follows from its name alone: it stays when other files come and go.

    Args:
        name: below the root, with slashes.
        fractions: of train, validation and test.
    """
    digest = hashlib.blake2b(os.fsencode(name), digest_size=8).digest()
    position = int.from_bytes(digest, "little") / 2**64
    if position < fractions[0]:
        return SPLITS[0]
    return SPLITS[1] if position < fractions[0] + fractions[1] else SPLITS[2]


def check_counts(layout: Layout, counts: dict[str, list[int]]) -> None:
    """Check that each split has images, and that train has some of each class.

    Args:
        layout: of the dataset.
        counts: by split, the number of images of each label.

    Raises:
        DataError: when one has none.
    """
    told = "" if layout.fractions is None else f" with dataset.split={list(layout.fractions)}"
    total = sum(map(sum, counts.values()))
    for split, of_labels in counts.items():
        if not sum(of_labels):
            raise DataError(
                f"dataset.root={layout.root}: expected images in each split{told}, got none of {total:,} in {split}"
            )
    for name, count in zip(layout.classes, counts[SPLITS[0]], strict=True):
        if not count:
            raise DataError(
                f"dataset.root={layout.root}: expected images of each class in train{told}, got none of {name}"
            )
