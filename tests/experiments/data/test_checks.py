"""A split that no run can use is one sentence before training, not an error of a kernel in its midst."""

import pytest
import torch

import stnkit
from stnkit.experiments.data.checks import checked_split

pytestmark = pytest.mark.no_jaxtyping
IMAGES, LABELS = torch.zeros(4, 1, 8, 8, dtype=torch.uint8), torch.tensor([0, 1, 2, 1])


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
        ((IMAGES, LABELS.float()), "expected labels of whole numbers, such as int64, got torch.float32"),
        ((IMAGES, LABELS + 1), "expected labels from 0 to 2, got 1 to 3"),
        ((IMAGES, LABELS - 1), "expected labels from 0 to 2, got -1 to 1"),
        ((IMAGES, LABELS[:2]), r"expected 4 labels, one for each image, got shape \(2,\)"),
        ((IMAGES[:0], LABELS[:0]), "expected at least one image, got none"),
        ((IMAGES.float() / 255, LABELS), "expected images in uint8, from 0 to 255, got torch.float32"),
        ((IMAGES[..., :7], LABELS), r"expected images of shape \(N, 1, 8, 8\), got \(4, 1, 8, 7\)"),
        ((IMAGES.numpy(), LABELS), r"expected two tensors, images and labels, got \['ndarray', 'Tensor'\]"),
        (IMAGES, "expected two tensors, images and labels, got Tensor"),
        (None, "expected two tensors, images and labels, got NoneType"),
    ],
)
def test_what_a_split_must_not_hold_is_one_sentence(given, message):
    with pytest.raises(stnkit.errors.DataError, match=rf"^Given.split\('train'\): {message}$"):
        checked_split(Given(given), "train")
