"""Windows and true places of co-localization against pixels, what it refuses, and its experiment."""

from pathlib import Path

import numpy as np
import pytest
import torch

import stnkit
from stnkit_plugins.objectives.colocalization import intersection_over_union
from tests.helpers import metrics
from tests.plugins.objectives.colocalization_cases import LABELS, SIZE, batch, encodings, prepared, windows


@pytest.mark.parametrize("shift", [(0, 0), (2, 3), (5, -1), (9, 9), (12, 0), (20, 20)])
def test_overlap_equals_the_share_of_pixels(shift):
    masks = np.zeros((2, 60, 60), dtype=bool)
    masks[0, 20:32, 20:32] = True
    masks[1, 20 + shift[1] : 32 + shift[1], 20 + shift[0] : 32 + shift[0]] = True
    box = torch.tensor([[[20.0, 20.0], [32.0, 32.0]]])
    found = intersection_over_union(box, box + torch.tensor(shift)).item()
    assert found == pytest.approx((masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum(), abs=1e-6)


def test_boxes_without_content_or_number_overlap_nothing():
    box, point = torch.tensor([[[0.0, 0.0], [1.0, 1.0]]]), torch.zeros(1, 2, 2)
    for other in (point, box * torch.nan):
        assert intersection_over_union(box, other).tolist() == [0.0]
    assert intersection_over_union(point, point).tolist() == [0.0]


def test_the_true_place_is_that_of_the_image_in_pixels():
    objective, setting = prepared()
    draws = torch.Generator().manual_seed(0)
    truth = setting.distortion.sample(7, draws)
    placed = stnkit.warp(
        setting.distortion.family, truth, torch.ones(7, 2, 12, 12), stnkit.build("sampler", "bilinear"), SIZE
    )
    theta = windows(7)
    window, place = objective.boxes(batch(setting, theta, true_theta=truth))
    for image, box in zip(placed[:, 0], place, strict=True):
        rows, columns = np.nonzero(image.numpy() > 0.5)
        expected = [[columns.min() - 0.5, rows.min() - 0.5], [columns.max() + 0.5, rows.max() + 0.5]]
        np.testing.assert_allclose(box.numpy(), expected, atol=1e-3)
    half = theta[:, :1].exp()
    corners = torch.stack([theta[:, 1:] - half, theta[:, 1:] + half], dim=1)
    torch.testing.assert_close(window, stnkit.coordinates.to_pixels(corners, SIZE))


@pytest.mark.parametrize(("pixels", "found"), [((0, 0), 100.0), ((2, -2), 100.0), ((4, 0), 0.0), ((3, 3), 0.0)])
def test_a_window_is_found_if_it_meets_most_of_the_place(pixels, found):
    """Of a square of 12 pixels a window shifted by (x, y) shares (12 − x)(12 − y) pixels."""
    objective, setting = prepared("affine")
    truth = setting.distortion.sample(1, torch.Generator().manual_seed(0)).double()
    matrix = torch.eye(3, dtype=torch.float64)
    matrix[:2] = truth.view(2, 3)
    matrix = torch.linalg.inv(matrix)
    matrix[:2, 2] += 2 * torch.tensor(pixels, dtype=torch.float64) / torch.tensor([SIZE[1], SIZE[0]])
    theta = matrix[:2].reshape(1, 6).float()
    measured = objective.measure(batch(setting, theta, LABELS[:1], true_theta=truth.float()))
    common = (12 - abs(pixels[0])) * (12 - abs(pixels[1]))
    expected = common / (288 - common)
    assert measured["iou"].item() == pytest.approx(expected, abs=1e-4)
    if abs(expected - 0.5) > 1e-3:
        assert measured["found"].item() == (100.0 if expected > 0.5 else 0.0)
        assert (measured["found"].item() == found) or expected == 0.5


def test_figures_are_those_of_the_images_of_the_data():
    objective, setting = prepared()
    truth = setting.distortion.sample(3, torch.Generator().manual_seed(0))
    given = batch(setting, windows(6), LABELS[:6], true_theta=truth)
    assert {name: len(figure) for name, figure in objective.measure(given).items()} == {"found": 3, "iou": 3}
    assert [len(box) for box in objective.boxes(given)] == [3, 3]
    assert {name: line.shape for name, line in objective.outlines(given).items()} == {
        "window": (3, 65, 2),
        "true place": (3, 65, 2),
    }


def test_outlines_are_the_edges_of_the_boxes():
    objective, setting = prepared()
    truth = setting.distortion.sample(7, torch.Generator().manual_seed(0))
    given = batch(setting, windows(7), true_theta=truth)
    for line, box in zip(objective.outlines(given).values(), objective.boxes(given), strict=True):
        line = stnkit.coordinates.to_pixels(line, SIZE)
        torch.testing.assert_close(torch.stack([line.amin(dim=1), line.amax(dim=1)], dim=1), box, atol=1e-3, rtol=0)


@pytest.mark.parametrize("distortion", ["independent_channels", "none", {"name": "rotation", "degrees": 0.0}])
def test_triplets_in_order_are_counted_where_no_place_is_known(distortion):
    objective, setting = prepared(distortion=distortion, random_crops=2)
    given = batch(setting, windows(7))
    assert objective.primary == "ordered"
    own, random = encodings(objective, given)
    expected = []
    for n, a in enumerate(own):
        partners = [own[m] for m in range(7) if m != n and LABELS[m] == LABELS[n]]
        right = [((a - b) ** 2).sum() < ((a - r[n]) ** 2).sum() for b in partners for r in random]
        expected.append(100 * np.mean(right) if right else 0.0)
    assert objective.measure(given)["ordered"].tolist() == pytest.approx(expected, abs=1e-3)
    assert objective.boxes(given)[1] is None
    assert list(objective.outlines(given)) == ["window"]


def test_the_transformer_stays_a_part_of_the_network_alone():
    objective, _ = prepared()
    assert list(objective.parameters()) == []
    assert objective.state_dict() == {}


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": 0}, "features: expected a whole number of at least 1, got 0"),
        ({"random_crops": 0}, "random_crops: expected a whole number of at least 1, got 0"),
        ({"margin": 4.0}, "margin: expected a number above 0 and below 4, got 4.0"),
        ({"class_weight": -1.0}, "class_weight: expected a number of at least 0, got -1.0"),
        ({"window_weight": float("inf")}, "window_weight: expected a number of at least 0, got inf"),
        ({"random_weight": float("nan")}, "random_weight: expected a number of at least 0, got nan"),
    ],
)
def test_options_out_of_range_are_one_sentence(options, message):
    with pytest.raises(stnkit.errors.InputError) as error:
        stnkit.build("objective", "colocalization", **options)
    assert message in str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["network=none"], "expected a network of 128 outputs, got network=none"),
        (["placement=none"], "expected one spatial transformer at the input, got placement.at=[]"),
        (["placement.parallel=2"], "expected one spatial transformer at the input, got 2 in parallel"),
    ],
)
def test_what_it_needs_of_the_network_is_one_sentence(words, message, stnkit_main):
    code, _, err = stnkit_main("train", "objective=colocalization", "training.progress=false", *words)
    assert code != 0
    assert f"objective=colocalization: {message}" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [
        ((40,), "expected labels for colocalization, whole numbers of shape (N,)"),
        ((40, 2), "expected labels, one for each image, got targets of shape [2]"),
    ],
)
def test_targets_that_are_no_labels_are_one_sentence(stnkit_main, shape, sentence):
    np.save("images.npy", np.zeros((40, 1, 12, 12), dtype=np.uint8))
    np.save("targets.npy", np.zeros(shape, dtype=np.float32))
    words = ["dataset=arrays", "dataset.images=images.npy", "dataset.targets=targets.npy", "training.progress=false"]
    code, _, err = stnkit_main("train", "objective=colocalization", *words)
    assert code != 0
    assert sentence in err
    assert "Traceback" not in err


@pytest.mark.training
def test_the_experiment_trains_on_the_embedded_digits(stnkit_main):
    words = ["dataset=digits", "training.epochs=1", "training.batch_size=256", "training.progress=false"]
    code, _, err = stnkit_main("train", "experiment=colocalization", *words, "hydra.run.dir=alone")
    assert code == 0, err
    clutter = ["distortion.patches=16", "transform_init=null", "init_from=alone"]
    code, _, err = stnkit_main("train", "experiment=colocalization", *words, *clutter, "hydra.run.dir=clutter")
    assert code == 0, err
    for run, patches in (("alone", 0), ("clutter", 16)):
        record = metrics(Path(run))
        assert record["config"]["distortion"]["patches"] == patches
        assert set(record["figures"]) == {"found", "iou"}
        assert 0 < record["test_iou"] < 1
