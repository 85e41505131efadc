"""Arrays from files of NumPy and PyTorch, in every layout, and what their files must not hold."""

import numpy as np
import pytest
import torch

import stnkit

SPLITS = ("train", "validation", "test")
N = 200
LABELS = np.arange(N) % 3


def pixels(*shape, n=N):
    """Images of noise, of which no two are alike."""
    return np.random.default_rng(len(shape)).integers(0, 256, (n, *shape)).astype("uint8")


@pytest.fixture
def save(tmp_path):
    """Saves images and targets as .npy files of these names, and builds the dataset."""

    def run(images, targets=LABELS, name="images.npy", **options):
        np.save(tmp_path / name, images)
        np.save(tmp_path / name.replace("images", "targets"), targets)
        return built(**options)

    def built(**options):
        return stnkit.build("dataset", "arrays", root=str(tmp_path), **options)

    run.built = built
    return run


def whole(dataset):
    """All images and targets in the order of the file, from those of the splits."""
    of, parts = stnkit.reading.splits_of_indices(N, dataset.shares), [dataset.split(name) for name in SPLITS]
    images, targets = (torch.cat([part[i] for part in parts]) for i in range(2))
    order = np.concatenate([np.nonzero(of == i)[0] for i in range(3)])
    return images[np.argsort(order)], targets[np.argsort(order)]


@pytest.mark.parametrize(
    ("shape", "layout", "axes"),
    [
        ((9, 8), "auto", None),
        ((3, 9, 8), "auto", None),
        ((9, 8, 3), "auto", (0, 3, 1, 2)),
        ((9, 8, 1), "auto", (0, 3, 1, 2)),
        ((9, 8, 4), "auto", (0, 3, 1, 2)),
        ((3, 9, 4), "auto", None),
        ((2, 9, 3), "auto", (0, 3, 1, 2)),
        ((2, 9, 3), "nchw", None),
        ((3, 9, 4), "nhwc", (0, 3, 1, 2)),
        ((2, 5, 6, 7), "auto", None),
    ],
)
def test_images_of_every_layout_are_channels_first(shape, layout, axes, save):
    images = pixels(*shape)
    dataset = save(images, layout=layout)
    expected = images[:, None] if len(shape) == 2 else images if axes is None else images.transpose(axes)
    found, labels = whole(dataset)
    assert dataset.image_shape == expected.shape[1:]
    assert torch.equal(found, torch.from_numpy(expected.copy()))
    assert torch.equal(labels, torch.from_numpy(LABELS))
    assert (dataset.n_classes, dataset.class_names) == (3, None)


@pytest.mark.parametrize("suffix", ["npy", "npz", "pt"])
@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32", "float64"])
def test_every_format_holds_the_same(suffix, dtype, save, tmp_path):
    images = (pixels(3, 6, 5) / (1 if dtype == "uint8" else 255)).astype(dtype)
    dataset = save(images)
    if suffix == "npz":
        np.savez_compressed(tmp_path / "all.npz", images=images, targets=LABELS)
        dataset = save.built(images="all.npz")
    elif suffix == "pt":
        torch.save({"images": torch.from_numpy(images), "targets": torch.from_numpy(LABELS)}, tmp_path / "all.pt")
        dataset = save.built(images="all.pt")
    found, labels = whole(dataset)
    assert found.dtype == getattr(torch, dtype)
    assert torch.equal(found, torch.from_numpy(images))
    assert torch.equal(labels, torch.from_numpy(LABELS))


def test_files_with_one_tensor_each_need_no_names(save, tmp_path):
    images = pixels(3, 6, 5)
    torch.save(torch.from_numpy(images), tmp_path / "x.pt")
    np.savez(tmp_path / "y.npz", LABELS)
    found, labels = whole(save.built(images="x.pt", targets="y.npz"))
    assert torch.equal(found, torch.from_numpy(images))
    assert torch.equal(labels, torch.from_numpy(LABELS))


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("name", ["images.pt", "images_SPLIT.pt"])
def test_a_tensor_of_images_has_its_targets_beside_it(name, save, tmp_path):
    images = pixels(3, 6, 5)
    for split in SPLITS:
        path = tmp_path / name.replace("SPLIT", split)
        torch.save(torch.from_numpy(images), path)
        torch.save(torch.from_numpy(LABELS), path.with_name(path.name.replace("images", "targets")))
    dataset = save.built(images=name)
    found, labels = dataset.split("train") if "SPLIT" in name else whole(dataset)
    assert torch.equal(found, torch.from_numpy(images))
    assert torch.equal(labels, torch.from_numpy(LABELS))
    assert dataset.row_origin("test", "targets", 0)[0] == str(
        tmp_path / name.replace("images", "targets").replace("SPLIT", "test")
    )
    assert save.built(images=name, targets="none").target_shape == (0,)
    for path in tmp_path.glob("targets*"):
        path.unlink()
    with pytest.raises(
        stnkit.errors.DataError, match=r"dataset.targets: expected a file, got .*targets\w*.pt, .*=none"
    ):
        save.built(images=name)


@pytest.mark.no_jaxtyping
def test_a_tensor_of_images_is_not_that_of_its_targets(save, tmp_path):
    torch.save(torch.from_numpy(pixels(9, 8)), tmp_path / "photos.pt")
    with pytest.raises(stnkit.errors.InputError, match=r"since photos.pt holds images alone, got null"):
        save.built(images="photos.pt")
    # The files of the other splits are of the form of that of train.
    torch.save({"images": torch.zeros(9, 4, 4), "targets": torch.arange(9) % 3}, tmp_path / "photos_train.pt")
    torch.save(torch.zeros(9, 4, 4), tmp_path / "photos_validation.pt")
    with pytest.raises(stnkit.errors.DataError, match=r"n.pt: expected an array 'images', got one without a name"):
        save.built(images="photos_SPLIT.pt")


def test_a_file_for_each_split_is_mapped_and_not_copied(save, tmp_path):
    parts = {name: pixels(8, 8, 3, n=20 + i) for i, name in enumerate(SPLITS)}
    for name, images in parts.items():
        np.save(tmp_path / f"images_{name}.npy", images)
        np.save(tmp_path / f"targets_{name}.npy", LABELS[: len(images)].astype("uint8"))
    dataset = save.built(images="images_SPLIT.npy", class_names=["a", "b", "c"])
    for name, images in parts.items():
        found, labels = dataset.split(name)
        assert torch.equal(found, torch.from_numpy(images.transpose(0, 3, 1, 2).copy()))
        assert labels.dtype == torch.int64
        with (tmp_path / f"images_{name}.npy").open("r+b") as file:
            file.seek(-1, 2)
            file.write(bytes([255 - images[-1, -1, -1, -1]]))
        assert int(found[-1, -1, -1, -1]) == 255 - images[-1, -1, -1, -1]  # the file itself, and no copy of it
    assert dataset.class_names == ("a", "b", "c")


@pytest.mark.parametrize(
    "targets",
    [np.random.default_rng(0).random((N, 4)), np.random.default_rng(0).random(N), LABELS > 1, pixels(9, 8)],
    ids=["vectors", "numbers", "truths", "masks"],
)
def test_targets_that_are_no_labels_are_kept(targets, save):
    dataset = save(pixels(9, 8), targets)
    assert dataset.n_classes == 0
    assert torch.equal(whole(dataset)[1], torch.from_numpy(targets))


@pytest.mark.parametrize(
    ("shape", "channels"),
    [((9, 8, 6), 6), ((9, 8, 2), 2), ((9, 5, 8), 8), ((9, 5, 4), 4), ((6, 9, 2), 6), ((2, 9, 8), 2)],
)
def test_pairs_have_twice_the_channels_of_images(shape, channels, save):
    dataset = save(pixels(*shape), pair=True)
    assert dataset.image_shape[0] == channels


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("name", ["images.npy", "all.npz"])
def test_images_without_targets_are_taken(name, save, tmp_path):
    images = pixels(9, 8)
    if name == "all.npz":
        np.savez(tmp_path / name, images=images)
        dataset = save.built(images=name, targets="none")
    else:
        np.save(tmp_path / name, images)
        dataset = save.built(targets="none")
        assert torch.equal(whole(dataset)[0], torch.from_numpy(images[:, None]))
    assert (dataset.n_classes, dataset.target_shape) == (0, (0,))
    assert dataset.split("test")[1].shape == (len(dataset.split("test")[0]), 0)


def test_arrays_pass_the_checks_of_a_dataset(save, tmp_path):
    save(pixels(9, 8, 3))
    checked = stnkit.testing.check("dataset.arrays", root=str(tmp_path), class_names=["a", "b", "c"])
    assert {result.outcome for result in checked.results} == {"passed"}


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
        ({"layout": "chw"}, "layout: expected one of auto, nhw, nchw, nhwc, ncdhw, got 'chw'"),
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
        ({"layout": "nhwc"}, r"expected images of 4 axes with pixels, got shape \(200, 9, 8\)"),
    ],
)
def test_options_that_do_not_fit_are_one_sentence(options, message, save, tmp_path):
    save(pixels(9, 8))
    (tmp_path / "photos.npy").write_bytes((tmp_path / "images.npy").read_bytes())
    (tmp_path / "text.npy").write_text("1, 2\n")
    options = {"targets": "targets.npy"} | options if options == {"images": "text.npy"} else options
    with pytest.raises((stnkit.errors.InputError, stnkit.errors.DataError), match=message):
        save.built(**options)


BAD = [
    (pixels(9, 8), LABELS[:-1], "expected 200 targets, one for each image of .*images.npy, got 199"),
    (pixels(9, 8), np.array(3), "expected 200 targets, .*, got a single number"),
    (pixels(9, 8).astype("int32"), LABELS, "expected images in uint8, float16, float32, float64, got <i4"),
    (pixels(9, 8).astype(">f4"), LABELS, "got >f4"),
    (pixels(9, 8) > 9, LABELS, r"got \|b1"),
    (pixels(9), LABELS, r"expected images of 3 to 5 axes with pixels, got shape \(200, 9\)"),
    (pixels(9, 0), LABELS, r"expected images of 3 axes with pixels, got shape \(200, 9, 0\)"),
    (np.array([[None]] * N, dtype=object), LABELS, "images.npy: expected an array of numbers, .*: objects are refused"),
    (pixels(9, 8), np.array(["cat"] * N), "targets.npy: expected numbers, got <U3"),
    (pixels(9, 8), LABELS * 0, "targets.npy: expected labels of at least two classes, got 0 alone"),
    (pixels(9, 8), LABELS - 1, "targets.npy: expected labels from 0, got -1 in row 0"),
    (
        pixels(9, 8),
        LABELS * 100,
        "dataset.n_classes: .*the 200 images with label 200 in row 2 of .*, got null",
    ),
    (pixels(9, 8), LABELS * 10**12, "dataset.n_classes: .* label 2000000000000 in row 2 of .*targets.npy, got null"),
    (
        pixels(9, 8),
        np.array([0] * (N - 1) + [2**63 + 5], dtype="uint64"),
        "targets.npy: expected labels of at most 9223372036854775807, got 9223372036854775813 in row 199",
    ),
    (pixels(9, 8), np.array([{}] * N), "targets.npy: expected an array of numbers, .*: objects are refused"),
]


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(("images", "targets", "message"), BAD)
def test_arrays_that_do_not_fit_are_one_sentence(images, targets, message, save):
    with pytest.raises(stnkit.errors.DataError, match=message) as refusal:
        save(images, targets).split("train")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float8_e5m2])
def test_floating_point_that_numpy_has_not_becomes_float32(dtype, save, tmp_path):
    images = torch.rand(N, 1, 6, 5).to(dtype).requires_grad_(dtype == torch.bfloat16)
    torch.save({"images": images, "targets": torch.from_numpy(LABELS)}, tmp_path / "all.pt")
    found, _ = whole(save.built(images="all.pt"))
    assert found.dtype == torch.float32
    assert torch.equal(found, images.detach().float())


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "uint64", "int8", ">u8"])
def test_labels_of_every_type_are_of_64_bits(dtype, save):
    assert torch.equal(whole(save(pixels(9, 8), LABELS.astype(dtype)))[1], torch.from_numpy(LABELS))


@pytest.mark.parametrize("dtype", [">f4", ">f8", ">i4"])
def test_targets_of_another_byte_order_are_converted(dtype, save):
    targets = np.arange(2 * N).reshape(N, 2)
    assert torch.equal(whole(save(pixels(9, 8), targets.astype(dtype)))[1].long(), torch.from_numpy(targets))


def test_a_given_number_of_classes_may_leave_some_without_image(save):
    assert save(pixels(9, 8), LABELS * 500, n_classes=1001).n_classes == 1001


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("name", ["images_SPLIT.npy", "images_SPLIT.pt", "images_SPLIT.npz"])
def test_mapped_images_that_are_scattered_are_refused(name, save, tmp_path):
    images = np.asfortranarray(pixels(9, 8))
    for split in SPLITS:
        path = tmp_path / name.replace("SPLIT", split)
        if path.suffix == ".pt":
            torch.save(torch.from_numpy(images), path)
        else:
            (np.save if path.suffix == ".npy" else np.savez)(path, images)
        np.save(tmp_path / f"targets_{split}.npy", LABELS)
    options = {"images": name, "targets": "targets_SPLIT.npy"}
    if name.endswith("npz"):  # it is in memory
        assert torch.equal(save.built(**options).split("train")[0], torch.from_numpy(images.copy())[:, None])
        return
    message = r"images_train.npy: expected images in C order, .*, got Fortran order: numpy.save\(path, numpy.asc"
    if name.endswith("pt"):
        message = r"images_train.pt: expected images in C order, .*, got another: torch.save\(images.contiguous"
    with pytest.raises(stnkit.errors.DataError, match=message):
        save.built(**options)


def test_images_in_fortran_order_are_copied_from_one_file(save):
    images = pixels(9, 8)
    assert torch.equal(whole(save(np.asfortranarray(images)))[0], torch.from_numpy(images)[:, None])


def test_the_origin_of_a_row_is_its_file_and_row(save, tmp_path):
    images = np.arange(N, dtype="float32").reshape(N, 1, 1)
    dataset = save(images)
    for name in SPLITS:
        found = dataset.split(name)[0].flatten()
        for row in (0, len(found) - 1):
            assert dataset.row_origin(name, "images", row) == (str(tmp_path / "images.npy"), int(found[row]))
            assert dataset.row_origin(name, "targets", row) == (str(tmp_path / "targets.npy"), int(found[row]))
    for name in SPLITS:
        np.save(tmp_path / f"images_{name}.npy", images)
        np.save(tmp_path / f"targets_{name}.npy", LABELS)
    expected = str(tmp_path / "targets_test.npy"), 7
    assert save.built(images="images_SPLIT.npy").row_origin("test", "targets", 7) == expected


@pytest.mark.no_jaxtyping
def test_a_split_without_images_is_one_sentence(save):
    dataset = save(pixels(9, 8, n=3), LABELS[:3], split=[0.98, 0.01, 0.01])
    with pytest.raises(stnkit.errors.DataError, match=r"dataset.split: .*, got none of the 3 images of .* in test"):
        dataset.split("test")


@pytest.mark.no_jaxtyping
def test_images_of_the_splits_are_of_one_shape(save, tmp_path):
    for name, width in zip(SPLITS, (8, 8, 7), strict=True):
        np.save(tmp_path / f"images_{name}.npy", pixels(9, width))
        np.save(tmp_path / f"targets_{name}.npy", LABELS)
    with pytest.raises(stnkit.errors.DataError, match=r"images_test.npy: expected images of shape \(1, 9, 8\), .*got"):
        save.built(images="images_SPLIT.npy")


@pytest.mark.no_jaxtyping
def test_a_copy_that_fills_the_memory_is_refused(save, monkeypatch):
    dataset = save(pixels(9, 8))
    monkeypatch.setattr("os.sysconf", lambda name: 100)
    with pytest.raises(stnkit.errors.DataError, match="expected a file for each split, as in images_SPLIT"):
        dataset.split("train")


@pytest.mark.parametrize("shape", [(), (6,), (4, 2)])
def test_the_shape_of_a_target_is_known_before_a_split_is_read(shape, save):
    dataset = save(pixels(9, 8), np.zeros((N, *shape), "float32"))
    assert dataset.target_shape == shape == tuple(dataset.split("test")[1].shape[1:])


def test_splits_with_targets_of_several_shapes_declare_none(tmp_path):
    for name, shape in zip(SPLITS, [(2,), (2,), (3,)], strict=True):
        np.savez(tmp_path / f"{name}.npz", images=pixels(9, 8), targets=np.zeros((N, *shape)))
    assert stnkit.build("dataset", "arrays", root=str(tmp_path), images="SPLIT.npz").target_shape is None
