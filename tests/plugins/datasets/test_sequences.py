import numpy as np
import pytest
import torch
from scipy import ndimage

import stnkit

SPLITS = ("train", "validation", "test")


def bars(root, n=40, height=20, width=12, dtype="uint8", channels=1):
    """A source of upright bars: the class is the brightness, 40, 60 … 220, and each split has one more."""
    for offset, split in enumerate(SPLITS):
        labels = np.arange(n) % 10
        images = np.zeros((n, channels, 28, 28), dtype)
        top, left = 4, 3  # off center, so that the crop matters
        bright = 40 + 20 * labels + offset
        images[:, :, top : top + height, left : left + width] = bright[:, None, None, None]
        if dtype != "uint8":
            images /= 255
        np.save(root / f"images_{split}.npy", images)
        np.save(root / f"targets_{split}.npy", labels)
    return {"name": "arrays", "root": str(root), "images": "images_SPLIT.npy", "layout": "nchw"}


def parts(image):
    """The connected regions of an image above half of the darkest bar, as masks from left to right."""
    regions, n = ndimage.label(image > 20)
    masks = [regions == i + 1 for i in range(n)]
    return sorted(masks, key=lambda mask: ndimage.center_of_mass(mask)[1])


def aspect(mask):
    """Height over width of a rectangle at any angle: the root of the ratio of its second moments."""
    low, high = np.linalg.eigvalsh(np.cov(np.argwhere(mask).T))
    return np.sqrt(high / low)


@pytest.mark.parametrize("degrees", [0.0, 60.0])
def test_targets_are_the_digits_from_left_to_right(tmp_path, degrees):
    source = bars(tmp_path)
    dataset = stnkit.build(
        "dataset", "sequences", source=source, size=128, scale=[0.8, 1.0], degrees=degrees, jitter=0.0
    )
    images, targets = dataset.split("test")
    assert images.dtype == torch.uint8
    for image, target in zip(images[:, 0].numpy(), targets.tolist(), strict=True):
        seen = [round((np.median(image[mask]) - 42) / 20) for mask in parts(image)]
        assert seen + [10] * (5 - len(seen)) == target


@pytest.mark.slow
def test_rows_have_every_number_of_digits_asked_for():
    _, targets = stnkit.build("dataset", "sequences", digits=[2, 4]).split("train")
    assert tuple(targets.shape) == (1197, 4)
    counts = (targets < 10).sum(dim=1)
    # 399 of each are expected, with a standard deviation of 16.
    assert all(330 < n < 470 for n in counts.bincount(minlength=5)[2:].tolist())
    assert targets[:, :2].flatten().unique().tolist() == list(range(10))
    # "No digit" stands behind the digits alone.
    assert torch.equal(targets.sort(dim=1).values.eq(10), targets.eq(10))


@pytest.mark.parametrize("degrees", [0.0, 180.0])
def test_no_digit_is_cut_off_or_distorted(tmp_path, degrees):
    source = bars(tmp_path, n=100)
    images, _ = stnkit.build(
        "dataset", "sequences", source=source, digits=[1, 1], size=96, degrees=degrees, jitter=0.3
    ).split("test")
    aspects = np.array([aspect(parts(image)[0]) for image in images[:, 0].numpy()])
    np.testing.assert_allclose(aspects, 20 / 12, rtol=0.12)


def test_rows_lie_anywhere_in_the_image(tmp_path):
    images, _ = stnkit.build("dataset", "sequences", source=bars(tmp_path, n=300), digits=[1, 1]).split("train")
    centers = np.array([ndimage.center_of_mass(image) for image in images[:, 0].numpy()])
    # A bar of 16 to 32 pixels leaves its center 16 to 48.
    assert (centers.min(axis=0) < 14).all()
    assert (centers.max(axis=0) > 50).all()
    assert (np.abs(centers.mean(axis=0) - 31.5) < 2).all()


def test_scale_is_that_of_the_largest_row_that_fits(tmp_path):
    source, heights, widths = bars(tmp_path, n=100), [], []
    for digits in ([1, 1], [5, 5]):
        images, _ = stnkit.build("dataset", "sequences", source=source, digits=digits, jitter=0.0).split("test")
        boxes = [ndimage.find_objects((image > 20).astype(int))[0] for image in images[:, 0].numpy()]
        heights.append([rows.stop - rows.start for rows, _ in boxes])
        widths.append([columns.stop - columns.start for _, columns in boxes])
    # A digit is half as high as the image at scale 1, and a quarter at 0.5; blurred edges add a pixel.
    assert 15 <= min(heights[0]) <= 18
    assert 30 <= max(heights[0]) <= 34
    # Five bars of 12 pixels and five gaps of 3 to 8, of which one is outside, are as wide as the image at scale 1.
    assert 28 <= min(widths[1]) <= 34
    assert 56 <= max(widths[1]) <= 64
    assert max(heights[1]) <= 20 * 64 / (60 + 15) + 2


def test_each_split_is_made_of_its_own_digits(tmp_path):
    dataset = stnkit.build("dataset", "sequences", source=bars(tmp_path), digits=[1, 1], size=96)
    for offset, split in enumerate(SPLITS):
        images, targets = dataset.split(split)
        # Inside of a bar every pixel has its brightness, which tells the split.
        assert torch.equal(images.flatten(1).amax(dim=1).long(), 40 + 20 * targets[:, 0] + offset)


def test_a_row_does_not_depend_on_their_number():
    few, many = (stnkit.build("dataset", "sequences", n=n).split("train") for n in (3, 300))
    assert torch.equal(few[0], many[0][:3])
    assert torch.equal(few[1], many[1][:3])
    assert len(stnkit.build("dataset", "sequences", n=3).split("validation")[0]) == 200


def test_floating_point_and_color_sources_stay_so(tmp_path):
    (tmp_path / "floats").mkdir()
    floats = bars(tmp_path / "floats", dtype="float32", channels=3)
    whole, exact = (
        stnkit.build("dataset", "sequences", source=source).split("test")[0]
        for source in (bars(tmp_path, channels=3), floats)
    )
    assert exact.dtype == torch.float32
    assert tuple(exact.shape) == (40, 3, 64, 64)
    torch.testing.assert_close(255 * exact, whole.float(), atol=0.51, rtol=0)


def test_a_black_source_gives_black_rows(tmp_path):
    source = bars(tmp_path, height=0)
    images, targets = stnkit.build("dataset", "sequences", source=source).split("test")
    assert not images.any()
    assert targets.unique().numel() == 11


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"digits": [0, 5]}, r"digits: expected the fewest and the most digits, at least 1, got \[0, 5\]"),
        ({"digits": [3, 2]}, r"digits: expected the fewest and the most digits, at least 1, got \[3, 2\]"),
        ({"size": 15}, "size: expected at least 16 pixels, got 15"),
        ({"scale": [0.0, 1.0]}, r"scale: expected the smallest and the largest, above 0 to 1, got \[0.0, 1.0\]"),
        ({"scale": [0.5, 1.5]}, r"scale: expected the smallest and the largest, above 0 to 1, got \[0.5, 1.5\]"),
        ({"degrees": 181.0}, "degrees: expected 0 to 180, got 181.0"),
        ({"jitter": 0.6}, "jitter: expected 0 to 0.5, got 0.6"),
        ({"n": 0}, "n: expected at least 1, or null, got 0"),
        ({"source": "nonsense"}, "no dataset 'nonsense'"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(stnkit.errors.InputError, match=message):
        stnkit.build("dataset", "sequences", **options)


def test_a_source_without_labels_is_refused(tmp_path):
    np.save(tmp_path / "images.npy", np.zeros((30, 8, 8), "uint8"))
    np.save(tmp_path / "targets.npy", np.zeros((30, 2), "float32"))
    source = {"name": "arrays", "root": str(tmp_path)}
    message = r"source: expected a dataset of images \(C, H, W\) with labels, got Arrays .* of 0 classes"
    with pytest.raises(stnkit.errors.InputError, match=message):
        stnkit.build("dataset", "sequences", source=source)


def test_a_source_of_sequences_is_refused():
    dataset = stnkit.build("dataset", "sequences", source="sequences")
    message = r"source: expected labels, whole numbers of shape \(N,\), got torch.int64 of shape \(400, 5\) in test"
    with pytest.raises(stnkit.errors.DataError, match=message):
        dataset.split("test")


@pytest.mark.no_jaxtyping
def test_it_passes_the_conformance_checks(tmp_path):
    stnkit.testing.check(type(stnkit.build("dataset", "sequences")), source=bars(tmp_path), size=32)
