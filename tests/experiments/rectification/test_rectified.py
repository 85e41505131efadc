"""Masks and points go through the map of a rectified image."""

import numpy as np
import pytest
import torch

from stnkit.errors import InputError
from tests.experiments.rectification.test_rectify import FRAMES, smooth

FAMILIES = ["affine", "projective", "tps", "displacement", "bspline"]


@pytest.mark.parametrize("transform", FAMILIES)
@pytest.mark.parametrize("fit", FRAMES)
def test_points_are_where_the_output_shows_them(transform, fit, make_run):
    # Of an image whose gray values are coordinates, the output says from where it was read.
    run = make_run(transform={"name": transform}, fit=fit)
    ys, xs = torch.meshgrid(torch.arange(60.0), torch.arange(140.0), indexing="ij")
    straight = run.rectify(smooth(3, 60, 140), size=(50, 90))
    read = straight.warp(torch.stack([xs, ys]).double(), sampler={"name": "bilinear", "padding": "border"})
    at = torch.tensor([[12, 9], [40, 30], [70, 22], [88, 41]])
    source = straight.to_image(at)
    inside = ((source > 0) & (source < torch.tensor([139.0, 59.0]))).all(dim=1)
    assert inside.sum() >= 2
    shown = read[:, at[:, 1], at[:, 0]].mT
    torch.testing.assert_close(source[inside], shown[inside], atol=2e-3, rtol=0)
    torch.testing.assert_close(straight.to_output(source)[inside], at[inside].double(), atol=1e-6, rtol=0)


@pytest.mark.parametrize("fit", FRAMES)
def test_points_and_matrix_agree(fit, make_run):
    straight = make_run(transform={"name": "projective"}, fit=fit).rectify(smooth(3, 300, 700), size=(50, 90))
    points = np.array([[100.0, 50.0], [400.0, 200.0]])
    x, y, w = straight.matrices["matrix_opencv"].numpy() @ np.column_stack([points, np.ones(2)]).T
    np.testing.assert_allclose(straight.to_output(points).numpy(), np.stack([x / w, y / w], axis=-1), atol=1e-3)


def test_labels_stay_labels(make_run):
    image = smooth(3, 60, 140)
    straight = make_run(transform={"name": "tps"}, fit="pad").rectify(image)
    labels = torch.randint(0, 2**60, (1, 60, 140), generator=torch.Generator().manual_seed(0))
    read = straight.warp(labels, sampler="nearest")
    assert read.shape == (1, *straight.out_size)
    assert read.dtype == torch.int64
    assert set(read.unique().tolist()) <= {0, *labels.unique().tolist()}
    mask = labels > 2**59
    assert torch.equal(straight.warp(mask, sampler="nearest"), read > 2**59)


def test_the_same_image_is_rectified_alike(make_run):
    image = (smooth(3, 60, 140) * 255).byte()
    straight = make_run(fit="crop").rectify(image, size=(30, 40))
    assert torch.equal(straight.warp(image), straight.image)


def test_points_of_a_volume_come_back(make_run):
    run = make_run(
        in_shape=(1, 6, 8, 10),
        transform={"name": "affine", "ndim": 3},
        localizer={"name": "pooled"},
    )
    straight = run.rectify(torch.rand(1, 12, 16, 20, generator=torch.Generator().manual_seed(0)), size=(9, 12, 15))
    points = torch.tensor([[4.0, 5.0, 6.0], [10.0, 3.0, 2.0]])
    torch.testing.assert_close(straight.to_image(straight.to_output(points)), points.double(), atol=1e-9, rtol=0)


@pytest.mark.no_jaxtyping
def test_bad_masks_and_points_are_told(make_run):
    straight = make_run().rectify(smooth(3, 60, 140))
    for given, options, message in (
        (torch.zeros(1, 60, 141), {}, r"other: expected shape \(K, 60, 140\), as the image has it, got \(1, 60, 141\)"),
        (torch.zeros(1, 60, 140, dtype=torch.int64), {}, "or a sampler that reads labels, got torch.int64"),
        (torch.zeros(1, 60, 140), {"sampler": "nonsense"}, "no sampler 'nonsense'"),
        (np.zeros((1, 60, 140)), {}, "other: expected a tensor, got ndarray"),
    ):
        with pytest.raises(InputError, match=message):
            straight.warp(given, **options)
    for points in (torch.zeros(2), torch.zeros(2, 3), torch.zeros(1, 2, 2)):
        with pytest.raises(InputError, match=r"points: expected shape \(N, 2\), x first, got"):
            straight.to_output(points)
