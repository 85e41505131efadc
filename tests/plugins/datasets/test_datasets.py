import gzip
import hashlib
import os
import struct

import pytest
import torch

import stnkit


@pytest.fixture(scope="module")
def digits():
    return stnkit.build("dataset", "digits")


def test_digits_come_in_three_fixed_splits_that_do_not_overlap(digits):
    splits = {name: digits.split(name) for name in ("train", "validation", "test")}
    assert [len(labels) for _, labels in splits.values()] == [1197, 200, 400]
    images = torch.cat([images for images, _ in splits.values()]).flatten(1)
    from sklearn.datasets import load_digits

    # As many different images as scikit-learn has: nothing is in two splits.
    assert len(images.unique(dim=0)) == len(torch.from_numpy(load_digits().images).flatten(1).unique(dim=0))
    again, _ = digits.split("train")
    assert torch.equal(again, splits["train"][0])


def test_digits_are_bytes_with_a_black_frame(digits):
    images, labels = digits.split("test")
    assert images.dtype == torch.uint8
    assert tuple(images.shape[1:]) == digits.image_shape == (1, 28, 28)
    assert not images[..., :4, :].any()
    assert images.max() == 255
    assert sorted(labels.unique().tolist()) == list(range(digits.n_classes))


def test_digits_still_look_like_the_originals(digits):
    from sklearn.datasets import load_digits

    images, _ = digits.split("train")
    order = torch.randperm(1797, generator=torch.Generator().manual_seed(0))[:1197]
    small = torch.from_numpy(load_digits().images)[order] / 16
    again = torch.nn.functional.interpolate(images[..., 4:24, 4:24].double() / 255, size=(8, 8), mode="area")[:, 0]
    correlation = torch.corrcoef(torch.stack([again.flatten(), small.flatten()]))[0, 1]
    # Interpolation costs a little; digits in another order would correlate by less than 0.7.
    assert correlation > 0.95


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_addition_pairs_digits_of_a_split_and_labels_their_sum(split, digits):
    addition = stnkit.build("dataset", "addition", source="digits")
    assert (addition.n_classes, addition.image_shape) == (19, (2, 28, 28))
    (images, labels), (singles, values) = addition.split(split), digits.split(split)
    assert torch.equal(images[:, :1], singles)
    value_of = {single.numpy().tobytes(): int(value) for single, value in zip(singles, values, strict=True)}
    sums = [sum(value_of[channel.numpy().tobytes()] for channel in image) for image in images]
    assert labels.tolist() == sums
    # Every digit is the second of one pair, and the second is not the first one's own.
    assert torch.equal(images[:, 1].flatten(1).unique(dim=0), singles.flatten(1).unique(dim=0))
    assert (images[:, 0] == images[:, 1]).flatten(1).all(dim=1).double().mean() < 0.05
    assert torch.equal(addition.split(split)[0], images)


def test_addition_has_every_sum_and_more_pairs_when_asked(digits):
    images, labels = stnkit.build("dataset", "addition", source={"name": "digits"}, pairs=3).split("train")
    assert len(images) == len(labels) == 3 * 1197
    assert len(images.flatten(1).unique(dim=0)) > 3500
    assert labels.unique().tolist() == list(range(19))


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("options", "message"),
    [({"pairs": 0}, "pairs: expected at least 1, got 0"), ({"source": "nonsense"}, "no dataset 'nonsense'")],
)
def test_options_of_addition_out_of_range_are_refused(options, message):
    with pytest.raises(stnkit.errors.InputError, match=message):
        stnkit.build("dataset", "addition", **options)


def idx(array):
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.numpy().tobytes()


@pytest.fixture
def small_mnist(tmp_path, monkeypatch):
    """Files of MNIST's size with contents of our own, vouched for by their own checksums."""
    module = __import__("stnkit_plugins.datasets.mnist", fromlist=["CHECKSUMS"])
    arrays, checksums = {}, {}
    for prefix, n in (("train", 60_000), ("t10k", 10_000)):
        labels = torch.arange(n).remainder(10).to(torch.uint8)
        images = labels[:, None, None].expand(n, 28, 28).clone()
        images[:, 0, 0] = torch.arange(n).remainder(251).to(torch.uint8)
        arrays |= {f"{prefix}-images-idx3-ubyte": images, f"{prefix}-labels-idx1-ubyte": labels}
    for name, array in arrays.items():
        content = idx(array)
        checksums[name] = (hashlib.md5(content).hexdigest(), "")
        # Half of them plain, half of them packed.
        packed = "images" in name
        (tmp_path / f"{name}{'.gz' if packed else ''}").write_bytes(gzip.compress(content, 1) if packed else content)
    monkeypatch.setattr(module, "CHECKSUMS", checksums)
    return tmp_path


def test_mnist_reads_plain_and_packed_files_in_order(small_mnist):
    dataset = stnkit.build("dataset", "mnist", root=str(small_mnist))
    for name, n in (("train", 55_000), ("validation", 5_000), ("test", 10_000)):
        images, labels = dataset.split(name)
        assert images.shape == (n, 1, 28, 28)
        assert labels.dtype == torch.int64
        assert torch.equal(images[:, 0, 14, 14].long(), labels)
    pairs, sums = stnkit.build("dataset", "addition", source={"name": "mnist", "root": str(small_mnist)}).split("test")
    assert pairs.shape == (10_000, 2, 28, 28)
    assert torch.equal(pairs[:, :, 14, 14].long().sum(dim=1), sums)
    first_validation = dataset.split("validation")[0][0, 0, 0, 0]
    assert int(first_validation) == 55_000 % 251


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("t10k-images-idx3-ubyte.gz", lambda b: b[: len(b) // 2], "cannot be read"),
        ("t10k-images-idx3-ubyte.gz", lambda b: b"no gzip", "cannot be read"),
        ("t10k-labels-idx1-ubyte", lambda b: b[:-10], "altered or cut short: expected an MD5 of"),
        ("t10k-labels-idx1-ubyte", lambda b: b[:-1] + b"\x07", "altered or cut short: expected an MD5 of"),
    ],
)
def test_a_truncated_or_altered_file_is_refused_by_name(name, damage, message, small_mnist):
    path = small_mnist / name
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(stnkit.errors.DataError, match=message) as error:
        stnkit.build("dataset", "mnist", root=str(small_mnist)).split("test")
    assert str(path) in str(error.value)


def test_a_missing_file_says_which_and_how_to_get_it(small_mnist):
    (small_mnist / "t10k-labels-idx1-ubyte").unlink()
    dataset = stnkit.build("dataset", "mnist", root=str(small_mnist))
    with pytest.raises(stnkit.errors.DataError, match=r"t10k-labels-idx1-ubyte.gz is missing.*dataset.download=true"):
        dataset.split("test")


def test_a_folder_that_does_not_exist_says_so(tmp_path):
    with pytest.raises(stnkit.errors.DataError, match=r"nowhere: that folder does not exist"):
        stnkit.build("dataset", "mnist", root=str(tmp_path / "nowhere")).split("train")


def test_download_fetches_what_is_missing_and_verifies_it(small_mnist, monkeypatch):
    import pooch

    content = gzip.compress((small_mnist / "t10k-labels-idx1-ubyte").read_bytes())
    (small_mnist / "t10k-labels-idx1-ubyte").unlink()
    asked = []

    def retrieve(url, known_hash, fname, path):
        asked.append((url, known_hash))
        (path / fname).write_bytes(content)
        return str(path / fname)

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    dataset = stnkit.build("dataset", "mnist", root=str(small_mnist), download=True)
    assert len(dataset.split("test")[1]) == 10_000
    assert [url.rsplit("/", 1)[1] for url, _ in asked] == ["t10k-labels-idx1-ubyte.gz"]


def test_a_failed_download_is_a_sentence(tmp_path, monkeypatch):
    import pooch

    def retrieve(*args, **kwargs):
        raise OSError("no route to host")

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    with pytest.raises(stnkit.errors.DataError, match=r"could not be fetched.*no route to host"):
        stnkit.build("dataset", "mnist", root=str(tmp_path), download=True).split("test")


@pytest.mark.skipif("STNKIT_MNIST" not in os.environ, reason="STNKIT_MNIST names no folder with MNIST")
def test_the_real_mnist_has_its_known_class_counts():
    _, labels = stnkit.build("dataset", "mnist", root=os.environ["STNKIT_MNIST"]).split("test")
    assert labels.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
