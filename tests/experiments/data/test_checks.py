"""A split that no run can use is one sentence before training, not an error of a kernel in its midst."""

import pytest
import torch

import stnkit
from stnkit.experiments.data import checks
from stnkit.experiments.data.checks import check_classes, check_labels, checked_class_names, checked_split
from stnkit.experiments.data.data_module import DistortedData

pytestmark = pytest.mark.no_jaxtyping
IMAGES, LABELS = torch.zeros(4, 1, 8, 8, dtype=torch.uint8), torch.tensor([0, 1, 2, 1])
BROKEN = torch.zeros(4, 1, 8, 8).index_fill_(0, torch.tensor(2), -torch.inf)


class Given(stnkit.Dataset):
    n_classes, image_shape = 3, (1, 8, 8)

    def __init__(self, given):
        self.given = given

    def split(self, name):
        return self.given


def test_labels_of_any_whole_numbers_become_int64():
    images, labels = checked_split(Given((IMAGES, LABELS.to(torch.uint8))), "train")
    assert images is IMAGES
    assert labels.dtype == torch.int64
    assert torch.equal(labels, LABELS)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((IMAGES, LABELS + 1), "expected labels from 0 to 2, got 1 to 3"),
        ((IMAGES, LABELS - 1), "expected labels from 0 to 2, got -1 to 1"),
        ((IMAGES, LABELS[:2]), r"expected 4 targets, one for each image, got shape \(2,\)"),
        ((IMAGES[:0], LABELS[:0]), "expected at least one image, got none"),
        (
            (IMAGES.int(), LABELS),
            "expected images in uint8, from 0 to 255, or in a floating-point type, got torch.int32",
        ),
        ((BROKEN, LABELS), "expected finite images, got NaN or infinity in image 2"),
        ((IMAGES, LABELS.float() / 0), "expected finite targets, got NaN or infinity in that of image 0"),
        ((IMAGES, BROKEN), "expected finite targets, got NaN or infinity in that of image 2"),
        ((IMAGES[..., :7], LABELS), r"expected images of shape \(N, 1, 8, 8\), got \(4, 1, 8, 7\)"),
        ((IMAGES.numpy(), LABELS), r"expected two tensors, images and targets, got \['ndarray', 'Tensor'\]"),
        ((IMAGES.to_sparse(), LABELS), "expected images in a dense tensor, got torch.sparse_coo"),
        ((IMAGES.to("meta"), LABELS), "expected images with values, got a tensor on the device meta"),
        (
            ((IMAGES / 255).requires_grad_(), LABELS),
            r"expected images that require no gradient, got a tensor that does: give it by detach\(\)",
        ),
        ((IMAGES, LABELS.to_sparse()), "expected targets in a dense tensor, got torch.sparse_coo"),
        (IMAGES, "expected two tensors, images and targets, got Tensor"),
        (None, "expected two tensors, images and targets, got NoneType"),
    ],
)
def test_what_a_split_must_not_hold_is_one_sentence(given, message):
    with pytest.raises(stnkit.errors.DataError, match=rf"^Given.split\('train'\): {message}$"):
        checked_split(Given(given), "train")


TARGETS = [torch.zeros(4, 3), torch.zeros(4), torch.zeros(4, 2, dtype=torch.long), LABELS.bool(), IMAGES, IMAGES / 255]


@pytest.mark.parametrize("targets", TARGETS, ids=lambda targets: f"{targets.dtype}-{targets.ndim}")
def test_targets_of_any_shape_and_dtype_are_taken_as_they_are(targets):
    assert checked_split(Given((IMAGES, targets)), "train")[1] is targets


@pytest.mark.parametrize("targets", TARGETS, ids=lambda targets: f"{targets.dtype}-{targets.ndim}")
def test_classification_needs_labels(targets):
    message = r"^Given.split\('test'\): expected labels for classification, whole numbers of shape \(N,\), got torch"
    with pytest.raises(stnkit.errors.DataError, match=message):
        check_labels(Given(None), "test", targets, "classification")
    check_labels(Given(None), "test", LABELS, "classification")


@pytest.mark.parametrize("plugin", ["classification", "strangers_own"])
def test_refused_targets_name_the_objective_as_it_is_registered(plugin):
    data = DistortedData(Given((IMAGES, LABELS / 2)), None, batch_size=4, seed=0)
    objective = stnkit.build("objective", "classification", n_classes=3)
    with pytest.raises(stnkit.errors.DataError, match=rf"expected labels for {plugin}, whole numbers"):
        data.check_targets("train", objective, plugin)


class Filed(Given):
    """A dataset that knows the files of its rows."""

    def row_origin(self, name, part, row):
        return f"{part}_{name}.npy", 10 * row


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((BROKEN, LABELS), "images_train.npy: expected finite images, got NaN or infinity in image 20"),
        ((IMAGES, BROKEN), "targets_train.npy: expected finite targets, got NaN or infinity in that of image 20"),
    ],
)
def test_a_dataset_that_knows_the_file_of_a_row_names_it(given, message):
    with pytest.raises(stnkit.errors.DataError, match=f"^{message}$"):
        checked_split(Filed(given), "train")


def test_no_classes_are_explained_by_the_targets():
    dataset = Filed((IMAGES, LABELS / 2))
    check_classes(dataset, "classification")
    dataset.n_classes = 0
    message = r"^targets_train.npy: expected labels for classification, .*, got torch.float32 of shape \(4,\)$"
    with pytest.raises(stnkit.errors.DataError, match=message):
        check_classes(dataset, "classification")
    dataset.given = None
    with pytest.raises(stnkit.errors.DataError, match=r"^Filed.n_classes: expected at least 1 for classification"):
        check_classes(dataset, "classification")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_floating_point_images_are_taken_as_they_are(dtype):
    images = torch.rand(4, 1, 8, 8).to(dtype) - 3
    assert checked_split(Given((images, LABELS)), "train")[0] is images


def test_every_chunk_of_floating_point_images_is_checked(monkeypatch):
    monkeypatch.setattr(checks, "_CHUNK_BYTES", 2 * 4 * 64)
    for place in range(5):
        images = torch.zeros(5, 1, 8, 8)
        images[place, 0, 7, 7] = torch.nan
        with pytest.raises(stnkit.errors.DataError, match=f"in image {place}$"):
            checked_split(Given((images, torch.zeros(5, dtype=torch.long))), "train")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("a", "b"), "expected one name for each of the 3 classes, got 2"),
        (("a", "b", 3), r"expected a tuple of texts or None, got \('a', 'b', 3\)"),
        ("abc", "expected a tuple of texts or None, got 'abc'"),
    ],
)
def test_names_that_do_not_name_the_classes_are_refused(names, message):
    dataset = Given(None)
    dataset.class_names = names
    with pytest.raises(stnkit.errors.DataError, match=rf"^Given.class_names: {message}$"):
        checked_class_names(dataset)


def test_names_of_classes_are_optional():
    dataset = Given(None)
    assert checked_class_names(dataset) is None
    dataset.class_names = ["a", "b", "c"]
    assert checked_class_names(dataset) == ("a", "b", "c")


def test_a_file_that_a_split_cannot_read_is_one_sentence():
    class Lost(Given):
        def split(self, name):
            raise FileNotFoundError("blobs.bin")

    with pytest.raises(stnkit.errors.DataError, match=r"^Lost.split\('test'\): FileNotFoundError: blobs.bin$"):
        checked_split(Lost(None), "test")
