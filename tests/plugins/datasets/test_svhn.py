import numpy as np
import pytest
import torch
from scipy.io import savemat

import stnkit
from tests.helpers import QUICK, metrics

SIZES = {"train": 30, "test": 12, "extra": 7}


def content(n, first=0):
    """A file's content in MATLAB's layout: pixel (h, w) of channel c of image i is 32·h + w + 80·c + 7·i, mod 256."""
    h, w, c, i = np.ogrid[:32, :32, :3, first : first + n]
    return {"X": ((32 * h + w + 80 * c + 7 * i) % 256).astype("uint8"), "y": (np.arange(n)[:, None] % 10 + 1) * 1.0}


@pytest.fixture
def root(tmp_path):
    for i, (name, n) in enumerate(SIZES.items()):
        made = content(n, first=100 * i)
        savemat(tmp_path / f"{name}_32x32.mat", made | {"y": made["y"].astype("uint8")}, do_compression=True)
    return tmp_path


def svhn(root, **options):
    return stnkit.build("dataset", "svhn", root=str(root), **({"n_validation": 10} | options))


def test_images_and_labels_are_those_of_the_files(root):
    images, labels = svhn(root).split("test")
    assert (images.dtype, tuple(images.shape)) == (torch.uint8, (12, 3, 32, 32))
    for i, c, h, w in ((0, 0, 0, 0), (3, 2, 5, 9), (11, 1, 31, 30)):
        assert int(images[i, c, h, w]) == (32 * h + w + 80 * c + 7 * (100 + i)) % 256
    # Label 10 of the file is the digit 0.
    assert labels.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2]
    assert labels.dtype == torch.int64


def test_validation_is_the_end_of_the_training_file(root):
    (train, _), (validation, labels) = (svhn(root).split(name) for name in ("train", "validation"))
    assert (len(train), len(validation)) == (20, 10)
    whole = torch.from_numpy(content(30)["X"]).permute(3, 2, 0, 1)
    assert torch.equal(torch.cat([train, validation]), whole)
    assert labels.tolist() == [(i + 1) % 10 for i in range(20, 30)]


def test_extra_images_are_behind_those_of_training(root):
    dataset = svhn(root, extra=True)
    images, labels = dataset.split("train")
    assert len(images) == len(labels) == 27
    assert torch.equal(images[20:], torch.from_numpy(content(7, first=200)["X"]).permute(3, 2, 0, 1))
    assert len(dataset.split("validation")[0]) == 10


@pytest.mark.no_jaxtyping
def test_it_passes_the_conformance_checks(root):
    stnkit.testing.check(type(svhn(root)), root=str(root), n_validation=10)


@pytest.mark.parametrize(
    ("content_of_file", "message"),
    [
        (b"", "expected a .mat file"),
        (b"this is no .mat file" * 20, "expected a .mat file"),
        (b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(400), "expected a .mat file"),
    ],
)
def test_a_file_of_another_format_is_refused(root, content_of_file, message):
    path = root / "test_32x32.mat"
    path.write_bytes(content_of_file)
    with pytest.raises(stnkit.errors.DataError, match=message) as error:
        svhn(root).split("test")
    assert str(path) in str(error.value)


@pytest.mark.parametrize("left", [0.05, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("compressed", [True, False])
def test_a_file_that_ends_early_is_refused(root, left, compressed):
    path = root / "test_32x32.mat"
    savemat(path, content(12), do_compression=compressed)
    path.write_bytes(path.read_bytes()[: int(left * path.stat().st_size)])
    with pytest.raises(stnkit.errors.DataError, match=r"test_32x32.mat: expected"):
        svhn(root).split("test")


@pytest.mark.parametrize("place", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_a_file_with_damaged_bytes_is_refused(root, place):
    path = root / "test_32x32.mat"
    damaged = bytearray(path.read_bytes())
    middle = int(place * len(damaged))
    damaged[middle : middle + 8] = bytes(255 - byte for byte in damaged[middle : middle + 8])
    path.write_bytes(damaged)
    with pytest.raises(stnkit.errors.DataError, match=r"test_32x32.mat: expected"):
        svhn(root).split("test")


@pytest.mark.parametrize(
    "change",
    [
        lambda made: {"images": made["X"], "y": made["y"]},
        lambda made: {"X": made["X"]},
        lambda made: made | {"X": made["X"].astype("float64")},
        lambda made: made | {"X": made["X"].transpose(3, 0, 1, 2)},
        lambda made: made | {"y": made["y"][:-1]},
        lambda made: made | {"y": made["y"] - 1},
        lambda made: made | {"y": made["y"] + 1},
        lambda made: made | {"y": made["y"] + 0.5},
        lambda made: made | {"y": np.array(["one"] * 12, dtype=object)[:, None]},
        lambda made: {"X": made["X"][..., :0], "y": made["y"][:0]},
    ],
)
def test_arrays_of_another_layout_are_refused(root, change):
    savemat(root / "test_32x32.mat", change(content(12)))
    message = r"test_32x32.mat: expected X, uint8 \(32, 32, 3, N\), and y, \(N, 1\) with labels 1 … 10, got"
    with pytest.raises(stnkit.errors.DataError, match=message):
        svhn(root).split("test")


def test_a_missing_file_or_folder_says_which(root):
    (root / "extra_32x32.mat").unlink()
    with pytest.raises(stnkit.errors.DataError, match=r"no SVHN in dataset.root=.*: extra_32x32.mat is missing; http"):
        svhn(root, extra=True).split("train")
    with pytest.raises(stnkit.errors.DataError, match=r"nowhere: that folder does not exist; http"):
        svhn(root / "nowhere").split("test")


def test_too_many_validation_images_are_refused(root):
    with pytest.raises(stnkit.errors.DataError, match=r"dataset.n_validation: expected less than the 30 images of .*"):
        svhn(root, n_validation=30).split("train")
    with pytest.raises(stnkit.errors.InputError, match="n_validation: expected at least 1, got 0"):
        svhn(root, n_validation=0)


@pytest.mark.training
@pytest.mark.parametrize(("objective", "figure"), [([], "error"), (["objective=sequence"], "sequence_error")])
def test_it_trains_as_classes_and_as_sequences(objective, figure, root, stnkit_main):
    options = ["dataset=svhn", f"dataset.root={root}", "dataset.n_validation=10", "training.batch_size=10"]
    code, _, err = stnkit_main("train", *QUICK, *options, *objective, "hydra.run.dir=run")
    assert code == 0, err
    assert 0 <= metrics("run")[f"test_{figure}"] <= 100
