"""Arrays that files must not hold, and options that do not fit them."""

import numpy as np
import pytest
import torch

import stnkit
from tests.helpers import ARRAY_LABELS, noise_images

SPLITS = ("train", "validation", "test")
N = len(ARRAY_LABELS)


@pytest.mark.no_jaxtyping
def test_a_tensor_of_images_is_not_that_of_its_targets(save, tmp_path):
    torch.save(torch.from_numpy(noise_images(9, 8)), tmp_path / "photos.pt")
    with pytest.raises(stnkit.errors.InputError, match=r"since photos.pt holds images alone, got null"):
        save.built(images="photos.pt")
    # The files of the other splits are of the form of that of train.
    torch.save({"images": torch.zeros(9, 4, 4), "targets": torch.arange(9) % 3}, tmp_path / "photos_train.pt")
    torch.save(torch.zeros(9, 4, 4), tmp_path / "photos_validation.pt")
    with pytest.raises(stnkit.errors.DataError, match=r"n.pt: expected an array 'images', got one without a name"):
        save.built(images="photos_SPLIT.pt")


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"split": [0.8, 0.1, 0.2]},
            r"dataset.split: expected three positive numbers with a sum of 1, .*, got \[0.8, 0.1, 0.2\]",
        ),
        ({"split": [1.0, 0.0, 0.0]}, "dataset.split: expected three positive numbers with a sum of 1"),
        ({"split": [0.5, 0.5]}, "split: expected tuple"),
        ({"layout": "chw"}, "layout: expected one of auto, nhw, nchw, nhwc, ndhw, ncdhw, got 'chw'"),
        ({"n_classes": -1}, "n_classes: expected at least 2, or null, got -1"),
        ({"n_classes": 0}, "n_classes: expected at least 2, or null, got 0"),
        ({"n_classes": 1}, "n_classes: expected at least 2, or null, got 1"),
        ({"n_classes": 2}, r"targets.npy: expected labels from 0 to 1, got 2 in row 2$"),
        ({"images": "x.npy"}, "dataset.images: expected a file, got .*x.npy, which does not exist"),
        ({"images": "photos.npy"}, "targets: expected a file, since photos.npy holds images alone, got null"),
        ({"images": "text.npy"}, "text.npy: expected an array of numbers, .*: it does not begin as a file of NumPy"),
        ({"images": "images_SPLIT.npy", "targets": "t.npy"}, "targets: expected SPLIT in both names or in none"),
        ({"images": "no/images.npy"}, "dataset.images: expected a file, got .*no/images.npy, which does not exist"),
        (
            {"targets": "gone.npy"},
            "dataset.targets: expected a file, got .*gone.npy, which .*; dataset.targets=none takes",
        ),
        ({"layout": "ndhw"}, r"expected images of 4 axes with pixels, got shape \(200, 9, 8\)"),
        ({"layout": "nhwc"}, r"expected images of 4 axes with pixels, got shape \(200, 9, 8\)"),
    ],
)
def test_options_that_do_not_fit_are_one_sentence(options, message, save, tmp_path):
    save(noise_images(9, 8))
    (tmp_path / "photos.npy").write_bytes((tmp_path / "images.npy").read_bytes())
    (tmp_path / "text.npy").write_text("1, 2\n")
    options = {"targets": "targets.npy"} | options if options == {"images": "text.npy"} else options
    with pytest.raises((stnkit.errors.InputError, stnkit.errors.DataError), match=message):
        save.built(**options)


BAD = [
    (noise_images(9, 8), ARRAY_LABELS[:-1], "expected 200 targets, one for each image of .*images.npy, got 199"),
    (noise_images(9, 8), np.array(3), "expected 200 targets, .*, got a single number"),
    (noise_images(9, 8).astype("int32"), ARRAY_LABELS, "expected images in uint8, float16, float32, float64, got <i4"),
    (noise_images(9, 8).astype(">f4"), ARRAY_LABELS, "got >f4"),
    (noise_images(9, 8) > 9, ARRAY_LABELS, r"got \|b1"),
    (noise_images(9), ARRAY_LABELS, r"expected images of 3 to 5 axes with pixels, got shape \(200, 9\)"),
    (noise_images(9, 0), ARRAY_LABELS, r"expected images of 3 axes with pixels, got shape \(200, 9, 0\)"),
    (
        np.array([[None]] * N, dtype=object),
        ARRAY_LABELS,
        "images.npy: expected an array of numbers, .*: objects are refused",
    ),
    (noise_images(9, 8), np.array(["cat"] * N), "targets.npy: expected numbers, got <U3"),
    (noise_images(9, 8), ARRAY_LABELS * 0, "targets.npy: expected labels of at least two classes, got 0 alone"),
    (noise_images(9, 8), ARRAY_LABELS - 1, "targets.npy: expected labels from 0, got -1 in row 0"),
    (
        noise_images(9, 8),
        ARRAY_LABELS * 100,
        "dataset.n_classes: .*the 200 images with label 200 in row 2 of .*, got null",
    ),
    (
        noise_images(9, 8),
        ARRAY_LABELS * 10**12,
        "dataset.n_classes: .* label 2000000000000 in row 2 of .*targets.npy, got null",
    ),
    (
        noise_images(9, 8),
        np.array([0] * (N - 1) + [2**63 + 5], dtype="uint64"),
        "targets.npy: expected labels of at most 9223372036854775807, got 9223372036854775813 in row 199",
    ),
    (noise_images(9, 8), np.array([{}] * N), "targets.npy: expected an array of numbers, .*: objects are refused"),
]


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(("images", "targets", "message"), BAD)
def test_arrays_that_do_not_fit_are_one_sentence(images, targets, message, save):
    with pytest.raises(stnkit.errors.DataError, match=message) as refusal:
        save(images, targets).split("train")
    assert "\n" not in str(refusal.value)


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("name", ["images_SPLIT.npy", "images_SPLIT.pt", "images_SPLIT.npz"])
def test_mapped_images_that_are_scattered_are_refused(name, save, tmp_path):
    images = np.asfortranarray(noise_images(9, 8))
    for split in SPLITS:
        path = tmp_path / name.replace("SPLIT", split)
        if path.suffix == ".pt":
            torch.save(torch.from_numpy(images), path)
        else:
            (np.save if path.suffix == ".npy" else np.savez)(path, images)
        np.save(tmp_path / f"targets_{split}.npy", ARRAY_LABELS)
    options = {"images": name, "targets": "targets_SPLIT.npy"}
    if name.endswith("npz"):  # it is in memory
        assert torch.equal(save.built(**options).split("train")[0], torch.from_numpy(images.copy())[:, None])
        return
    message = r"images_train.npy: expected images in C order, .*, got Fortran order: numpy.save\(path, numpy.asc"
    if name.endswith("pt"):
        message = r"images_train.pt: expected images in C order, .*, got another: torch.save\(images.contiguous"
    with pytest.raises(stnkit.errors.DataError, match=message):
        save.built(**options)


@pytest.mark.no_jaxtyping
def test_a_split_without_images_is_one_sentence(save):
    dataset = save(noise_images(9, 8, n=3), ARRAY_LABELS[:3], split=[0.98, 0.01, 0.01])
    with pytest.raises(stnkit.errors.DataError, match=r"dataset.split: .*, got none of the 3 images of .* in test"):
        dataset.split("test")


@pytest.mark.no_jaxtyping
def test_images_of_the_splits_are_of_one_shape(save, tmp_path):
    for name, width in zip(SPLITS, (8, 8, 7), strict=True):
        np.save(tmp_path / f"images_{name}.npy", noise_images(9, width))
        np.save(tmp_path / f"targets_{name}.npy", ARRAY_LABELS)
    with pytest.raises(stnkit.errors.DataError, match=r"images_test.npy: expected images of shape \(1, 9, 8\), .*got"):
        save.built(images="images_SPLIT.npy")


@pytest.mark.no_jaxtyping
def test_a_copy_that_fills_the_memory_is_refused(save, monkeypatch):
    dataset = save(noise_images(9, 8))
    monkeypatch.setattr("os.sysconf", lambda name: 100)
    with pytest.raises(stnkit.errors.DataError, match="expected a file for each split, as in images_SPLIT"):
        dataset.split("train")
