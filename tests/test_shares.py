"""Shares of the splits: of positions, of indices, and options that are none."""

import numpy as np
import pytest

from stnkit.errors import InputError
from stnkit.shares import checked_shares, splits_at, splits_of_indices


@pytest.mark.parametrize(
    "split", [[0.5, 0.5], [0.8, 0.1, 0.2], [1.0, 0.0, 0.0], [1.5, -0.25, -0.25], [float("nan")] * 3]
)
def test_shares_that_are_no_division_are_refused(split):
    with pytest.raises(InputError, match=r"dataset.split: expected three positive numbers with a sum of 1, .* got \["):
        checked_shares(split)


def test_a_position_belongs_to_the_share_that_it_is_in():
    shares = checked_shares([0.5, 0.3, 0.2])
    positions = np.random.default_rng(0).random(1000)
    expected = [0 if p < 0.5 else 1 if p < 0.5 + 0.3 else 2 for p in positions]
    assert splits_at(positions, shares).tolist() == expected
    assert splits_at([0.0, 0.5, 0.8, 1.0], shares).tolist() == [0, 1, 2, 2]


def test_an_image_stays_in_its_split_when_others_follow():
    few, many = splits_of_indices(1000, (0.8, 0.1, 0.1)), splits_of_indices(50_000, (0.8, 0.1, 0.1))
    assert np.array_equal(few, many[:1000])
    shares = np.bincount(many) / len(many)
    np.testing.assert_allclose(shares, (0.8, 0.1, 0.1), atol=0.005)
    # Neighbors are independent: no pattern of the index.
    assert abs(np.corrcoef(many[:-1] == 0, many[1:] == 0)[0, 1]) < 0.02
    # The reference values of SplitMix64 with seed 0: they decide for ever.
    assert [int(part) for part in splits_of_indices(3, (0.85, 0.05, 0.1))] == [1, 0, 0]
