"""Shares: the parts of a dataset for train, validation and test, decided for each item on its own."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from stnkit.errors import InputError

SPLITS = ("train", "validation", "test")
Shares = tuple[float, float, float]


def checked_shares(split: Sequence[float]) -> Shares:
    """The shares of an option `split`.

    Args:
        split: of train, validation and test.

    Raises:
        InputError: when they are not three positive numbers with a sum of 1.

    Example:
        >>> checked_shares([0.8, 0.1, 0.1])
        (0.8, 0.1, 0.1)
    """
    if len(split) != 3 or not all(share > 0 for share in split) or abs(sum(split) - 1) > 1e-6:
        raise InputError(
            f"dataset.split: expected three positive numbers with a sum of 1, such as [0.8,0.1,0.1], got {list(split)}"
        )
    return (split[0], split[1], split[2])


def splits_at(positions: npt.ArrayLike, shares: Shares) -> npt.NDArray[np.intp]:
    """The number of the split at each position: 0 below the first share, 1 below the sum of two, else 2.

    Args:
        positions: of items, from 0 to 1 (excluded): hashes, so that an item stays where it is when others come and go.
        shares: of the splits.

    Example:
        >>> splits_at([0.0, 0.79, 0.8, 0.95], (0.8, 0.1, 0.1)).tolist()
        [0, 0, 1, 2]
    """
    return np.searchsorted(np.cumsum(shares[:2]), positions, side="right")


def splits_of_indices(n: int, shares: Shares) -> npt.NDArray[np.intp]:
    """The number of the split of each of n items, from a hash of its index by SplitMix64.

    Args:
        n: number of items.
        shares: of the splits.

    Source: Steele, Lea, Flood 2014, Fast splittable pseudorandom number generators.
    """
    with np.errstate(over="ignore"):
        state = (np.arange(n, dtype=np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state ^= state >> np.uint64(31)
    return splits_at((state >> np.uint64(11)).astype(np.float64) / 2.0**53, shares)
