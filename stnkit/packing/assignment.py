"""Assignment: the split and the label of each file."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass

from stnkit.errors import DataError
from stnkit.packing.layout import Layout
from stnkit.packing.listing import Listing
from stnkit.shares import SPLITS, Shares, splits_at


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
        if layout.shares is None:
            groups[split_of[folder.partition("/")[0]]][label] += names
        else:
            for name, split in zip(names, splits_of_names(names, layout.shares), strict=True):
                groups[split][label].append(name)
    names = [name for split in SPLITS for of_label in groups[split] for name in of_label]
    return Assignment(names, {split: [len(of_label) for of_label in groups[split]] for split in SPLITS})


def splits_of_names(names: Sequence[str], shares: Shares) -> list[str]:
    """The split of each file, from a hash of its name alone: it stays when other files come and go.

    Args:
        names: below the root, with slashes.
        shares: of train, validation and test.
    """
    digests = (hashlib.blake2b(os.fsencode(name), digest_size=8).digest() for name in names)
    positions = [int.from_bytes(digest, "little") / 2**64 for digest in digests]
    return [SPLITS[number] for number in splits_at(positions, shares)]


def check_counts(layout: Layout, counts: dict[str, list[int]]) -> None:
    """Check that each split has images, and that train has some of each class.

    Args:
        layout: of the dataset.
        counts: by split, the number of images of each label.

    Raises:
        DataError: when one has none.
    """
    told = "" if layout.shares is None else f" with dataset.split={list(layout.shares)}"
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
