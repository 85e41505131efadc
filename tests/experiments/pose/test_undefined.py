"""Pose figures that are not defined are absent, with a reason, and never a perfect 0."""

import math

import pytest
import torch

import stnkit
from stnkit.experiments.data.data_module import DistortedData
from stnkit.experiments.placement import build_network
from stnkit.experiments.pose import pose_metrics
from stnkit.experiments.pose.maps import composed, poses
from stnkit.experiments.pose.measure import summary
from stnkit.experiments.pose.undefined import FIGURES, OF_POSES, no_common_frame, unmeasured
from stnkit.plugin_system.registry import plugin_registry
from tests.helpers import COMPONENTS

STILL = "the distortion moves no point of any image"
SAME = "the distortion is the same for every image"


class Squares(stnkit.Dataset):
    """A square of another size in each class, on one or more channels."""

    n_classes = 3

    def __init__(self, image_shape=(1, 16, 16), n=30, labels=None):
        self.image_shape, self.n, self.labels = image_shape, n, labels

    def split(self, name):
        labels = torch.arange(self.n) % 3 if self.labels is None else torch.tensor(self.labels)
        images = torch.zeros(len(labels), *self.image_shape, dtype=torch.uint8)
        for image, label in zip(images, labels.tolist(), strict=True):
            image[:, 6 - label : 8 + label, 5:9] = 200
        return images, labels


def network(data, at=("input",), **options):
    made = build_network(COMPONENTS, at, data.in_shape, data.dataset.n_classes, **options)
    for transformer in made.transformers().values():
        torch.nn.init.normal_(transformer.head.weight, std=0.05)
    return made.eval()


def measured(distortion, dataset=None, *, options=None, **placement):
    dataset = dataset or Squares()
    built = stnkit.build("distortion", distortion, image_shape=dataset.image_shape, **(options or {}))
    data = DistortedData(dataset, built, 16, 0)
    return pose_metrics(network(data, **placement), data)


def figures_in(record):
    return set(record) - {"pose", "undefined"}


@pytest.mark.parametrize(
    ("distortion", "options", "reason"),
    [
        ("none", {}, STILL),
        ("rotation", {"degrees": 0.0}, STILL),
        ("elastic", {"std": 0.0, "scale": (1.0, 1.0)}, STILL),
        ("elastic", {"std": 0.0, "scale": (0.8, 0.8)}, SAME),
        ("rts", {"degrees": 0.0, "scale": (1.0, 1.0), "canvas": (16, 16)}, STILL),
    ],
)
@pytest.mark.parametrize("at", [("input",), ()])
def test_without_a_distortion_there_are_no_figures(distortion, options, reason, at):
    record = measured(distortion, options=options, at=at)
    assert figures_in(record) == set()
    assert "pose" not in record
    assert record["undefined"].keys() == {*FIGURES, *(f"{name}_identity" for name in FIGURES)}
    assert {record["undefined"][f"{name}_identity"] for name in OF_POSES} == {reason}
    assert record["undefined"]["rectified_variance_identity"] == "the distortion draws the same image every time"


def test_a_single_image_has_no_other_to_be_compared_with():
    record = measured("rotation", Squares(n=1))
    reason = "the pose of a single image has no other to be compared with"
    assert {record["undefined"][name] for name in OF_POSES} == {reason}
    assert measured("none", Squares(n=1))["undefined"]["rotation_residual"] == STILL


def test_clutter_without_a_move_has_a_rectified_variance_alone():
    record = measured("translated_cluttered", options={"canvas": (16, 16)})
    assert figures_in(record) == {"rectified_variance", "rectified_variance_identity"}
    assert record["rectified_variance_identity"] > 0.1
    assert record["undefined"]["rotation_residual"] == STILL


def test_channels_that_move_apart_have_no_pose():
    options = {"distortion": {"name": "rotation"}}
    record = measured("independent_channels", Squares((2, 16, 16)), options=options)
    assert figures_in(record) == {"rectified_variance", "rectified_variance_identity"}
    assert record["undefined"]["corner_error_raw"] == "the channels of an image are distorted by different maps"


def test_channels_that_move_together_have_all_figures():
    dataset = stnkit.build("dataset", "addition")
    record = measured("rotation", dataset)
    assert figures_in(record) == {*FIGURES, *(f"{name}_identity" for name in FIGURES)}
    assert "undefined" not in record
    assert record["rotation_residual_identity"] == pytest.approx(90 / math.sqrt(3), rel=0.1)


@pytest.mark.parametrize(
    ("placement", "reason"),
    [
        ({"at": ()}, "the network has no transformer at its input"),
        ({"parallel": 2}, "several transformers stand in parallel at the input"),
    ],
)
def test_a_network_without_one_transformer_at_the_input_says_so(placement, reason):
    record = measured("rotation", **placement)
    assert figures_in(record) == {f"{name}_identity" for name in FIGURES}
    assert record["undefined"] == dict.fromkeys(FIGURES, reason)


class Chart(stnkit.TransformFamily):
    """Polar coordinates: the neutral θ is not the identity map."""

    n_params = 1

    def identity(self):
        return torch.zeros(1, dtype=torch.float64)

    def forward(self, theta, points):
        radius, angle = (points[..., :1] + 1) / 2, math.pi * points[..., 1:] + theta[:, :, None]
        return torch.cat([radius * angle.cos(), radius * angle.sin()], dim=-1)


@pytest.mark.parametrize("says_so", [True, False])
def test_a_chart_has_a_rectified_variance_and_no_pose(says_so, monkeypatch):
    monkeypatch.setattr(Chart, "is_chart", says_so)
    data = DistortedData(Squares(), stnkit.build("distortion", "rotation", image_shape=(1, 16, 16)), 16, 0)
    placed = network(data)
    localizer, sampler = placed.transformer.localizer, placed.transformer.sampler
    placed.transformer = stnkit.SpatialTransformer(localizer, Chart(), sampler)
    record = pose_metrics(placed, data)
    assert set(record["undefined"]) == set(OF_POSES)
    assert "so its output has other coordinates than the original" in record["undefined"]["rotation_residual"]
    assert record["rectified_variance"] > 0
    assert record["rotation_residual_identity"] > 30


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_transform_of_ours_says_if_it_is_a_chart(ndim):
    checked = 0
    for component in plugin_registry().registered:
        if component.kind == "transform" and component.source.distribution == "stnkit":
            options = {"stages": ["affine", "projective"]} if component.name == "compose" else {}
            try:
                family = stnkit.build("transform", component.name, **options, ndim=ndim)
            except stnkit.errors.InputError:
                family = stnkit.build("transform", component.name, **options)
            assert (no_common_frame(family, torch.device("cpu")) is None) != family.is_chart, component.name
            checked += 1
    assert checked >= 13


def test_classes_of_one_image_have_no_residual():
    record = measured("rotation", Squares(labels=[0, 0, 0, 1]))
    residuals = record["pose"]["rotation_residual_identity"]
    assert residuals[0] > 1
    assert math.isnan(residuals[1])
    # The pooled residual is that of the class with several images.
    assert record["rotation_residual_identity"] == pytest.approx(residuals[0])
    assert not math.isnan(record["pose"]["corner_error_raw_identity"][1])
    alone = measured("rotation", Squares(labels=[0, 1, 2]))
    reason = "no two images of a class have a pose"
    for name in ("rotation_residual", "translation_residual", "corner_error_per_class"):
        assert name not in alone
        assert alone["undefined"][name] == alone["undefined"][f"{name}_identity"] == reason
    assert alone["corner_error_global_identity"] > 1


def test_maps_that_all_fold_have_a_reason():
    data = DistortedData(Squares(), stnkit.build("distortion", "rotation", image_shape=(1, 16, 16)), 16, 0)
    placed = network(data)
    with torch.no_grad():
        placed.transformer.head.weight.zero_()
        placed.transformer.head.offset[0] = -2  # mirrored
    record = pose_metrics(placed, data)
    assert record["pose"]["undefined"] == 1
    reason = "every image has a corner behind a horizon, or is folded at its center"
    assert record["undefined"] == dict.fromkeys(OF_POSES, reason)
    assert not set(OF_POSES) & set(record)


def test_outputs_that_are_all_alike_have_no_share():
    data = DistortedData(Squares(), stnkit.build("distortion", "rotation", image_shape=(1, 16, 16)), 16, 0)
    placed = network(data)
    with torch.no_grad():
        placed.transformer.head.weight.zero_()
        placed.transformer.head.offset[2] = 9  # looks beside the image
    record = pose_metrics(placed, data)
    assert record["undefined"] == {"rectified_variance": "all outputs are alike"}


def test_volumes_have_no_angle_and_say_so():
    affine = stnkit.build("transform", "affine", ndim=3)
    theta = affine.identity().repeat(4, 1)
    theta[:, 3] = torch.linspace(-0.5, 0.5, 4)
    found = poses(composed(affine, theta), (6, 8, 10), (6, 8, 10), theta)
    overall, _ = summary(found, torch.zeros(4, dtype=torch.long), 1, (6, 8, 10))
    assert overall["translation_residual"] > 1
    assert unmeasured(found, overall) == {
        "rotation_residual": "the angle of a rotation is defined in two dimensions only"
    }
