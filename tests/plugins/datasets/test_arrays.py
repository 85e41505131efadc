"""Arrays from files of NumPy and PyTorch, in every layout."""

import numpy as np
import pytest
import torch

import stnkit
from tests.helpers import ARRAY_LABELS, noise_images

SPLITS = ("train", "validation", "test")
N = len(ARRAY_LABELS)


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
        ((5, 6, 7), "ndhw", None),
        ((5, 6, 3), "ndhw", None),
    ],
)
def test_images_of_every_layout_are_channels_first(shape, layout, axes, save):
    images = noise_images(*shape)
    dataset = save(images, layout=layout)
    gray = layout == "ndhw" or len(shape) == 2
    expected = images[:, None] if gray else images if axes is None else images.transpose(axes)
    found, labels = whole(dataset)
    assert dataset.image_shape == expected.shape[1:]
    assert torch.equal(found, torch.from_numpy(expected.copy()))
    assert torch.equal(labels, torch.from_numpy(ARRAY_LABELS))
    assert (dataset.n_classes, dataset.class_names) == (3, None)


@pytest.mark.parametrize("suffix", ["npy", "npz", "pt"])
@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32", "float64"])
def test_every_format_holds_the_same(suffix, dtype, save, tmp_path):
    images = (noise_images(3, 6, 5) / (1 if dtype == "uint8" else 255)).astype(dtype)
    dataset = save(images)
    if suffix == "npz":
        np.savez_compressed(tmp_path / "all.npz", images=images, targets=ARRAY_LABELS)
        dataset = save.built(images="all.npz")
    elif suffix == "pt":
        torch.save({"images": torch.from_numpy(images), "targets": torch.from_numpy(ARRAY_LABELS)}, tmp_path / "all.pt")
        dataset = save.built(images="all.pt")
    found, labels = whole(dataset)
    assert found.dtype == getattr(torch, dtype)
    assert torch.equal(found, torch.from_numpy(images))
    assert torch.equal(labels, torch.from_numpy(ARRAY_LABELS))


def test_files_with_one_tensor_each_need_no_names(save, tmp_path):
    images = noise_images(3, 6, 5)
    torch.save(torch.from_numpy(images), tmp_path / "x.pt")
    np.savez(tmp_path / "y.npz", ARRAY_LABELS)
    found, labels = whole(save.built(images="x.pt", targets="y.npz"))
    assert torch.equal(found, torch.from_numpy(images))
    assert torch.equal(labels, torch.from_numpy(ARRAY_LABELS))


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("name", ["images.pt", "images_SPLIT.pt"])
def test_a_tensor_of_images_has_its_targets_beside_it(name, save, tmp_path):
    images = noise_images(3, 6, 5)
    for split in SPLITS:
        path = tmp_path / name.replace("SPLIT", split)
        torch.save(torch.from_numpy(images), path)
        torch.save(torch.from_numpy(ARRAY_LABELS), path.with_name(path.name.replace("images", "targets")))
    dataset = save.built(images=name)
    found, labels = dataset.split("train") if "SPLIT" in name else whole(dataset)
    assert torch.equal(found, torch.from_numpy(images))
    assert torch.equal(labels, torch.from_numpy(ARRAY_LABELS))
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


def test_a_file_for_each_split_is_mapped_and_not_copied(save, tmp_path):
    parts = {name: noise_images(8, 8, 3, n=20 + i) for i, name in enumerate(SPLITS)}
    for name, images in parts.items():
        np.save(tmp_path / f"images_{name}.npy", images)
        np.save(tmp_path / f"targets_{name}.npy", ARRAY_LABELS[: len(images)].astype("uint8"))
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
    [np.random.default_rng(0).random((N, 4)), np.random.default_rng(0).random(N), ARRAY_LABELS > 1, noise_images(9, 8)],
    ids=["vectors", "numbers", "truths", "masks"],
)
def test_targets_that_are_no_labels_are_kept(targets, save):
    dataset = save(noise_images(9, 8), targets)
    assert dataset.n_classes == 0
    assert torch.equal(whole(dataset)[1], torch.from_numpy(targets))


@pytest.mark.parametrize(
    ("shape", "channels"),
    [((9, 8, 6), 6), ((9, 8, 2), 2), ((9, 5, 8), 8), ((9, 5, 4), 4), ((6, 9, 2), 6), ((2, 9, 8), 2)],
)
def test_pairs_have_twice_the_channels_of_images(shape, channels, save):
    dataset = save(noise_images(*shape), pair=True)
    assert dataset.image_shape[0] == channels


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("name", ["images.npy", "all.npz"])
def test_images_without_targets_are_taken(name, save, tmp_path):
    images = noise_images(9, 8)
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
    save(noise_images(9, 8, 3))
    checked = stnkit.testing.check("dataset.arrays", root=str(tmp_path), class_names=["a", "b", "c"])
    assert {result.outcome for result in checked.results} == {"passed"}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float8_e5m2])
def test_floating_point_that_numpy_has_not_becomes_float32(dtype, save, tmp_path):
    images = torch.rand(N, 1, 6, 5).to(dtype).requires_grad_(dtype == torch.bfloat16)
    torch.save({"images": images, "targets": torch.from_numpy(ARRAY_LABELS)}, tmp_path / "all.pt")
    found, _ = whole(save.built(images="all.pt"))
    assert found.dtype == torch.float32
    assert torch.equal(found, images.detach().float())


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "uint64", "int8", ">u8"])
def test_labels_of_every_type_are_of_64_bits(dtype, save):
    assert torch.equal(whole(save(noise_images(9, 8), ARRAY_LABELS.astype(dtype)))[1], torch.from_numpy(ARRAY_LABELS))


@pytest.mark.parametrize("dtype", [">f4", ">f8", ">i4"])
def test_targets_of_another_byte_order_are_converted(dtype, save):
    targets = np.arange(2 * N).reshape(N, 2)
    assert torch.equal(whole(save(noise_images(9, 8), targets.astype(dtype)))[1].long(), torch.from_numpy(targets))


def test_a_given_number_of_classes_may_leave_some_without_image(save):
    assert save(noise_images(9, 8), ARRAY_LABELS * 500, n_classes=1001).n_classes == 1001


def test_images_in_fortran_order_are_copied_from_one_file(save):
    images = noise_images(9, 8)
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
        np.save(tmp_path / f"targets_{name}.npy", ARRAY_LABELS)
    expected = str(tmp_path / "targets_test.npy"), 7
    assert save.built(images="images_SPLIT.npy").row_origin("test", "targets", 7) == expected


@pytest.mark.parametrize("shape", [(), (6,), (4, 2)])
def test_the_shape_of_a_target_is_known_before_a_split_is_read(shape, save):
    dataset = save(noise_images(9, 8), np.zeros((N, *shape), "float32"))
    assert dataset.target_shape == shape == tuple(dataset.split("test")[1].shape[1:])


def test_splits_with_targets_of_several_shapes_declare_none(tmp_path):
    for name, shape in zip(SPLITS, [(2,), (2,), (3,)], strict=True):
        np.savez(tmp_path / f"{name}.npz", images=noise_images(9, 8), targets=np.zeros((N, *shape)))
    assert stnkit.build("dataset", "arrays", root=str(tmp_path), images="SPLIT.npz").target_shape is None
