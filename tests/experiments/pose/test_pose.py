import math

import pytest
import torch

import stnkit
from stnkit.experiments.data.data_module import DistortedData
from stnkit.experiments.pose import pose_metrics
from stnkit.experiments.pose.maps import composed, poses
from stnkit.experiments.pose.measure import summary
from stnkit.experiments.pose.rectified import rectified_variance
from stnkit.experiments.pose.residuals import mean_angles, root_mean_square, wrapped

GENERATOR = torch.Generator().manual_seed(0)


def residual(degrees, labels, n_classes):
    deviations = wrapped(degrees - mean_angles(degrees, labels, n_classes)[labels])
    return root_mean_square(deviations, labels, n_classes)


@pytest.mark.parametrize("center", [0.0, 90.0, 179.0, -134.5])
@pytest.mark.parametrize("half", [90.0, 45.0, 1.0])
def test_the_residual_of_angles_is_their_standard_deviation(half, center):
    n = 10_001
    degrees = wrapped(center + half * torch.linspace(-1, 1, n, dtype=torch.float64))
    total, (by_class,) = residual(degrees, torch.zeros(n, dtype=torch.long), 1)
    assert [total, by_class] == pytest.approx([half / math.sqrt(3)] * 2, rel=1e-3)


def test_the_mean_of_angles_within_a_half_circle_is_ordinary():
    degrees = torch.tensor([10.0, 20.0, 90.0, -170.0, 170.0, 175.0], dtype=torch.float64)
    means = mean_angles(degrees, torch.tensor([0, 0, 0, 1, 1, 1]), 3)
    torch.testing.assert_close(means, torch.tensor([40.0, (190 + 170 + 175) / 3, torch.nan]).double(), equal_nan=True)


def test_each_class_has_its_own_mean():
    labels = torch.arange(3000) % 3
    spread = torch.empty(3000, dtype=torch.float64).uniform_(-30, 30)
    degrees = wrapped(spread + torch.tensor([0.0, 120.0, 180.0])[labels])
    total, by_class = residual(degrees, labels, 3)
    assert total == pytest.approx(30 / math.sqrt(3), rel=0.05)
    assert by_class == pytest.approx([30 / math.sqrt(3)] * 3, rel=0.05)


def similarity_poses(degrees, scale, shift, size, out_size):
    """The poses of originals that were rotated, scaled and moved, with no transformer."""
    theta = stnkit.distortions.pose_theta(
        *(torch.tensor(v, dtype=torch.float64) for v in (degrees, scale, shift)), size, out_size
    )
    return poses(composed(stnkit.build("transform", "affine"), theta), size, out_size, theta)


def test_a_pose_is_in_degrees_and_pixels_of_the_original():
    degrees, scale, shift = [0.0, 30.0, -100.0], [1.0, 2.0, 0.5], [[3.0, -2.0], [0.0, 0.0], [1.0, 4.0]]
    found = similarity_poses(degrees, scale, shift, (20, 28), (41, 30))
    # The map goes from the output to the original, with y down: an image rotated counter-clockwise is read at points
    # that are rotated clockwise as seen, a positive angle in these axes.
    torch.testing.assert_close(found.degrees, torch.tensor(degrees).double(), atol=1e-4, rtol=0)
    torch.testing.assert_close(found.log_scale, -torch.tensor(scale).double().log(), atol=1e-5, rtol=0)
    # Output center c shows the point c − (sR)⁻¹ shift of the original.
    expected = torch.tensor([13.5 - 3, 9.5 + 2]).double()
    torch.testing.assert_close(found.center[0], expected, atol=1e-4, rtol=0)
    assert found.corners.shape == (3, 4, 2)
    # Unscaled and not rotated: half the output's extent on either side of that point.
    torch.testing.assert_close(found.corners[0, 0], expected - torch.tensor([15, 20.5]).double(), atol=1e-4, rtol=0)
    torch.testing.assert_close(
        found.corners[0, 1] - found.corners[0, 0], torch.tensor([30.0, 0]).double(), atol=1e-4, rtol=0
    )
    assert found.defined.all()


@pytest.mark.parametrize("distortion", ["rotation", "rts"])
@pytest.mark.parametrize("out_size", [(28, 28), (20, 33)])
def test_a_transformer_that_undoes_the_distortion_leaves_nothing(distortion, out_size):
    distortion = stnkit.build("distortion", distortion, image_shape=(1, 28, 28))
    affine = distortion.family
    true_theta = distortion.sample(500, GENERATOR)
    theta = affine.from_matrix(torch.linalg.inv(affine.matrix(true_theta.double())))
    labels = torch.arange(500) % 10
    found = poses(composed(affine, true_theta, affine, theta), (28, 28), out_size, theta)
    overall, by_class = summary(found, labels, 10, (28, 28))
    assert by_class["undefined"] == 0
    assert by_class["images"] == [50] * 10
    assert overall == pytest.approx(dict.fromkeys(overall, 0.0), abs=1e-5)


def test_a_pose_common_to_a_class_is_removed_with_the_class():
    labels = torch.arange(400) % 4
    offsets = torch.tensor([0.0, 90.0, 180.0, 270.0])[labels].tolist()
    found = similarity_poses(offsets, [1.5] * 400, [[2.0, 0.0]] * 400, (28, 28), (28, 28))
    overall, by_class = summary(found, labels, 4, (28, 28))
    for name in ("rotation_residual", "log_scale_residual", "translation_residual", "corner_error_per_class"):
        assert overall[name] == pytest.approx(0, abs=1e-5)
        assert by_class[name] == pytest.approx([0] * 4, abs=1e-5)
    assert sorted(wrapped(torch.tensor(by_class["rotation_mean"])).tolist()) == pytest.approx(
        [-180, -90, 0, 90], abs=1e-3
    )
    # Four corners a quarter turn apart: their mean is the center, half a diagonal away.
    assert overall["corner_error_global"] > 14 * math.sqrt(2) / 1.5 - 1e-3
    assert overall["corner_error_raw"] > 10


def test_a_pose_common_to_all_is_in_the_raw_corner_error_alone():
    found = similarity_poses([20.0] * 50, [1.0] * 50, [[0.0, 0.0]] * 50, (28, 28), (28, 28))
    overall, _ = summary(found, torch.arange(50) % 10, 10, (28, 28))
    chord = 2 * 14 * math.sqrt(2) * math.sin(math.radians(10))
    assert overall["corner_error_raw"] == pytest.approx(chord, rel=1e-5)
    assert overall["corner_error_global"] == pytest.approx(0, abs=1e-5)


def test_maps_with_a_horizon_or_a_fold_are_counted_and_left_out():
    projective = stnkit.build("transform", "projective")
    theta = projective.identity().repeat(4, 1)
    theta[1, 6] = -2  # w = 1 − 2x
    theta[2, 0] = -1  # mirrored
    theta[3, 0] = theta[3, 4] = 0  # collapsed
    found = poses(composed(projective, theta), (28, 28), (28, 28), theta)
    assert found.defined.tolist() == [True, False, False, False]
    overall, by_class = summary(found, torch.tensor([0, 0, 0, 1]), 2, (28, 28))
    assert by_class["undefined"] == pytest.approx(0.75)
    assert overall["corner_error_raw"] == pytest.approx(0, abs=1e-6)
    assert by_class["images"] == [1, 0]
    assert math.isnan(by_class["corner_error_raw"][1])


class Swirl(stnkit.TransformFamily):
    """A stranger's family: identity and forward alone."""

    n_params = 1

    def identity(self):
        return torch.zeros(1, dtype=torch.float64)

    def forward(self, theta, points):
        angle = theta[:, :, None] * torch.exp(-points.square().sum(-1, keepdim=True))
        x, y = points.split(1, dim=-1)
        return torch.cat([x * angle.cos() - y * angle.sin(), x * angle.sin() + y * angle.cos()], dim=-1)


def test_the_pose_of_a_family_needs_its_forward_alone():
    theta = torch.tensor([[0.3], [-0.2]], dtype=torch.float64)
    found = poses(composed(Swirl(), theta), (28, 28), (28, 28), theta)
    torch.testing.assert_close(found.degrees, torch.rad2deg(theta[:, 0]), atol=1e-3, rtol=0)
    undone = poses(composed(Swirl(), theta, Swirl(), -theta), (28, 28), (28, 28), theta)
    torch.testing.assert_close(
        undone.corners, found.corners[:1] * 0 + poses(composed(Swirl(), theta * 0), (28, 28), (28, 28), theta).corners
    )


def test_three_dimensions_have_a_pose_without_an_angle():
    affine = stnkit.build("transform", "affine", ndim=3)
    theta = affine.identity().repeat(5, 1)
    found = poses(composed(affine, theta), (6, 8, 10), (6, 8, 10), theta)
    overall, _ = summary(found, torch.zeros(5, dtype=torch.long), 1, (6, 8, 10))
    assert found.corners.shape == (5, 8, 3)
    assert "rotation_residual" not in overall
    assert overall == pytest.approx(dict.fromkeys(overall, 0.0), abs=1e-9)


class Centroid(stnkit.Localizer):
    """Finds a bright blob on a black ground."""

    n_features = 2

    def features(self, image):
        lattice = stnkit.coordinates.lattice(image.shape[2:])
        mass = image[:, 0, :, :, None]
        return (mass * lattice).sum(dim=(1, 2)) / mass.sum(dim=(1, 2))


class Shift(stnkit.distortions.WarpDistortion):
    def __init__(self, image_shape):
        super().__init__(stnkit.build("transform", "translation"), stnkit.build("sampler", "bilinear"), image_shape[1:])

    def sample(self, n, generator):
        # Whole pixels.
        return torch.randint(-4, 5, (n, 2), generator=generator) * (2 / 24)


class Blobs(stnkit.Dataset):
    """A square of another size in each class, at the center."""

    n_classes = 3
    image_shape = (1, 24, 24)

    def split(self, name):
        labels = torch.arange(60) % 3
        images = torch.zeros(60, 1, 24, 24, dtype=torch.uint8)
        for image, label in zip(images, labels.tolist(), strict=True):
            image[0, 11 - label : 13 + label, 11 - label : 13 + label] = 200
        return images, labels


class Placed(torch.nn.Module):
    def __init__(self, transformer):
        super().__init__()
        self.transformer = transformer


def centering(out_size=None):
    transformer = stnkit.SpatialTransformer(
        Centroid(), stnkit.build("transform", "translation"), stnkit.build("sampler", "bilinear"), out_size
    )
    with torch.no_grad():
        transformer.head.weight.copy_(torch.eye(2))
    return transformer


def test_the_figures_of_a_perfect_transformer_are_zero():
    data = DistortedData(Blobs(), Shift((1, 24, 24)), 16, 0)
    figures = pose_metrics(Placed(centering()), data)
    names = {name for name in figures if name != "pose" and not name.endswith("_identity")}
    assert names == {
        "rotation_residual",
        "log_scale_residual",
        "translation_residual",
        "corner_error_raw",
        "corner_error_global",
        "corner_error_per_class",
        "rectified_variance",
    }
    assert [figures[name] for name in names] == pytest.approx([0] * 7, abs=1e-4)
    for name in ("translation_residual", "corner_error_raw", "corner_error_per_class", "rectified_variance"):
        assert figures[f"{name}_identity"] > 0.1, name
    # ±4 pixels along both axes.
    assert figures["translation_residual_identity"] == pytest.approx(math.sqrt(2 * 20 / 3), rel=0.2)
    assert len(figures["pose"]["translation_residual"]) == len(figures["pose"]["translation_residual_identity"]) == 3


def test_without_a_transformer_only_identity_figures_are_there():
    data = DistortedData(Blobs(), Shift((1, 24, 24)), 16, 0)
    figures = pose_metrics(Placed(None), data)
    assert all(name.endswith("_identity") for name in figures if name not in ("pose", "undefined"))
    assert figures == pose_metrics(Placed(torch.nn.Identity()), data)


def test_the_rectified_variance_of_equal_originals_is_0_9():
    originals = torch.randint(256, (1, 1, 24, 24), generator=GENERATOR).to(torch.uint8).expand(100, -1, -1, -1)
    distortion = stnkit.build("distortion", "rotation", image_shape=(1, 24, 24))
    assert rectified_variance(originals, distortion, None) == pytest.approx(0.9, abs=0.01)


def test_contrast_does_not_change_the_rectified_variance():
    originals, _ = Blobs().split("test")
    distortion = Shift((1, 24, 24))
    identity = rectified_variance(originals, distortion, None)
    assert 0.3 < identity < 1
    assert rectified_variance(originals // 2, distortion, None) == pytest.approx(identity, rel=1e-4)
    assert rectified_variance(originals, stnkit.build("distortion", "none", image_shape=(1, 24, 24)), None) == 0
    away = centering()
    with torch.no_grad():
        away.head.offset += 5
    assert math.isnan(rectified_variance(originals, distortion, away))
