"""Pairs of an image with itself."""

import numpy as np
import pytest
import torch

import stnkit

SPLITS = ("train", "validation", "test")


def saved(folder, *shape, n=40):
    """Files of images for each split, and the options that read them."""
    for split in SPLITS:
        np.save(folder / f"images_{split}.npy", np.random.default_rng(len(split)).random((n, *shape), "float32"))
        np.save(folder / f"targets_{split}.npy", np.arange(n) % 2)
    return {"name": "arrays", "root": str(folder), "images": "images_SPLIT.npy"}


@pytest.mark.parametrize("shape", [(1, 8, 9), (3, 8, 9), (1, 5, 6, 7), (2, 5, 6, 7)])
def test_both_images_of_a_pair_are_that_of_the_source(shape, tmp_path):
    source = saved(tmp_path, *shape)
    pairs, single = stnkit.build("dataset", "pairs", source=source), stnkit.build("dataset", source)
    assert pairs.pair
    assert (pairs.image_shape, pairs.n_classes) == ((2 * shape[0], *shape[1:]), 2)
    for split in SPLITS:
        (images, targets), (expected, labels) = pairs.split(split), single.split(split)
        assert torch.equal(images, torch.cat([expected, expected], dim=1))
        assert torch.equal(targets, labels)
    assert pairs.row_origin("test", "images", 7) == single.row_origin("test", "images", 7)


def test_pairs_of_one_channel_share_the_memory_of_the_source(tmp_path):
    pairs = stnkit.build("dataset", "pairs", source=saved(tmp_path, 1, 8, 9))
    images, _ = pairs.split("train")
    assert images.untyped_storage().nbytes() <= 40 * 72 * 4 + 4096  # with the header of the file


@pytest.mark.no_jaxtyping
def test_pairs_that_fill_the_memory_are_refused(tmp_path, monkeypatch):
    pairs = stnkit.build("dataset", "pairs", source=saved(tmp_path, 3, 8, 9))
    monkeypatch.setattr("os.sysconf", lambda name: 100)
    message = "expected pairs in a file, with dataset=arrays, which is mapped, got .*images_train.npy"
    with pytest.raises(stnkit.errors.DataError, match=message):
        pairs.split("train")


@pytest.mark.no_jaxtyping
def test_pairs_of_pairs_are_refused(tmp_path):
    source = {**saved(tmp_path, 2, 8, 9), "pair": True}
    with pytest.raises(
        stnkit.errors.InputError, match=r"dataset.source: expected single images, got .*, which has pairs"
    ):
        stnkit.build("dataset", "pairs", source=source)


def test_pairs_of_ones_own_are_arrays_of_both(tmp_path):
    assert stnkit.build("dataset", {**saved(tmp_path, 4, 8, 9), "pair": True}).pair
    assert not stnkit.build("dataset", saved(tmp_path, 4, 8, 9)).pair


@pytest.mark.no_jaxtyping
def test_pairs_of_ones_own_have_an_even_number_of_channels(tmp_path):
    message = "images_train.npy: expected pairs, an even number of channels, got 3"
    with pytest.raises(stnkit.errors.DataError, match=message):
        stnkit.build("dataset", {**saved(tmp_path, 3, 8, 9), "pair": True})
