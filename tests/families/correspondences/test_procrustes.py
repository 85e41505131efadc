"""Nearest rotations: proper, as SciPy's, and refused where there is no nearest one."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

import stnkit
from stnkit.errors import InputError
from tests.helpers import random_points, random_theta

VOLUMES = stnkit.build("transform", "rotation", ndim=3)
IMAGES = stnkit.build("transform", "rotation")


def noisy(family, size=0.2):
    points = random_points(family, batch=2, n=12)
    return points, family(random_theta(family, batch=2, scale=1.0), points) + size * random_points(
        family, 2, 12, seed=4
    )


def test_the_rotation_of_a_volume_is_scipys():
    target, source = noisy(VOLUMES)
    weights = random_points(VOLUMES, batch=2, n=12, seed=8)[..., 0].abs()
    found = VOLUMES.fit(target, source, weights)
    for k in range(2):
        expected = Rotation.align_vectors(source[k].numpy(), target[k].numpy(), weights[k].numpy())[0]
        np.testing.assert_allclose(found[k].numpy(), expected.as_rotvec(), atol=1e-12)


@pytest.mark.parametrize("ndim", [2, 3])
def test_mirrored_points_get_a_proper_rotation(ndim):
    family = stnkit.build("transform", "similarity", ndim=ndim)
    target = random_points(family, batch=1, n=12)
    source = target * target.new_tensor([-1.0, *[1.0] * (ndim - 1)])
    assert torch.linalg.det(family.matrix(family.fit(target, source))) > 0


def test_two_points_determine_a_similarity_of_images():
    family = stnkit.build("transform", "similarity", aspect=1.5)
    theta = random_theta(family, batch=2, scale=0.5)
    points = random_points(family, batch=2, n=2)
    torch.testing.assert_close(family.fit(points, family(theta, points)), theta, rtol=0, atol=1e-12)


def test_points_of_one_plane_determine_a_rotation_of_volumes():
    theta = random_theta(VOLUMES, batch=2, scale=0.5)
    points = random_points(VOLUMES, batch=2, n=6) * torch.tensor([1.0, 1.0, 0.0])
    torch.testing.assert_close(VOLUMES.fit(points, VOLUMES(theta, points)), theta, rtol=0, atol=1e-12)


def test_an_angle_beyond_pi_is_the_same_rotation():
    theta = torch.tensor([[3.5], [-7.0]], dtype=torch.float64)
    points = random_points(IMAGES, batch=2, n=5)
    found = IMAGES.fit(points, IMAGES(theta, points))
    torch.testing.assert_close(found, torch.remainder(theta + torch.pi, 2 * torch.pi) - torch.pi, rtol=0, atol=1e-12)


def test_a_half_turn_is_found_in_volumes():
    theta = torch.tensor([[0.0, torch.pi, 0.0], [torch.pi - 1e-9, 0.0, 0.0]], dtype=torch.float64)
    points = random_points(VOLUMES, batch=2, n=9)
    found = VOLUMES.fit(points, VOLUMES(theta, points))
    torch.testing.assert_close(VOLUMES(found, points), VOLUMES(theta, points), rtol=0, atol=1e-12)


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("family", "target", "source"),
    [
        (VOLUMES, [[1, 0, 0], [-0.5, 0, 0]], [[0, 1, 0], [0, -0.5, 0]]),
        (IMAGES, [[1, 0], [-1, 0], [0, 1], [0, -1]], [[-1, 0], [1, 0], [0, 1], [0, -1]]),
        (stnkit.build("transform", "similarity"), [[0.5, 0], [0.5, 0]], [[1, 0], [0, 1]]),
    ],
    ids=["one line of a volume", "mirrored square", "one point twice"],
)
def test_points_without_a_nearest_rotation_are_refused(family, target, source):
    target, source = (torch.tensor([points], dtype=torch.float64) for points in (target, source))
    with pytest.raises(InputError, match=r"\.fit: expected points to which one rotation is nearer than all others"):
        family.fit(target, source)


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("name", ["scale", "attention"])
def test_mirrored_points_have_no_positive_scale(name):
    points = stnkit.coordinates.corners(2)[None]
    with pytest.raises(InputError, match=r"\.fit: expected points that scales above 0 fit, got the scales \[-"):
        stnkit.build("transform", name).fit(points, -points)
