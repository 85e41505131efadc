"""Rigid motions: scikit-image's in pixels, SciPy's of volumes."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

import stnkit
from stnkit import coordinates

SIZE = (5, 6)
# scikit-image 0.26.0: T = EuclideanTransform(rotation=0.3, translation=(2, -1)), on pixel indices (x, y).
TURNED = [
    [0.955336489125606, -0.29552020666133955, 2.0],
    [0.29552020666133955, 0.955336489125606, -1.0],
    [0.0, 0.0, 1.0],
]
# U = EuclideanTransform(rotation=-1.1, translation=(0.5, 3)): the parameters of T + U, which applies T first, and of
# T.inverse.
FIRST_T_THEN_U = -0.8, [0.5159848827897192, 0.7639891584515519]
INVERSE = -0.3, [-1.6151527715898724, 1.5463769024482854]
# warp(image, T, order=1, preserve_range=True) with image = np.arange(30.0).reshape(5, 6) ** 1.5 % 7.
WARPED = [
    [0.0, 1.5043165027117231, 0.8125799724863726, 3.328329826556401, 0.6590874299673863, 0.0],
    [2.185895832033027, 4.421252105558905, 3.665433002535427, 2.4671805569426555, 0.6125629704050164, 0.0],
    [3.1952227261727773, 3.1571322001581903, 3.4865083160632206, 1.213629319173815, 0.4434719811345544, 0.0],
    [
        4.634768577786308,
        3.6392579547829724,
        3.514757337426315,
        4.1588883766501725,
        5.143095395188428,
        0.4644694332194472,
    ],
    [
        5.7871360706832915,
        5.635127727730051,
        3.933717569953544,
        2.148747045639946,
        1.8000750409380648,
        0.6166637952565652,
    ],
]
# EuclideanTransform(rotation=(0.3, -0.5, 0.7), translation=(1, 2, -0.5), dimensionality=3).params, of Euler angles.
VOLUME = [
    [0.6712121661589574, -0.5653542083811437, -0.479425538604203, 1.0],
    [0.5070818727544463, 0.8219543695041273, -0.25934338005223073, 2.0],
    [0.5406867876359134, -0.06903356805788476, 0.8383866435942033, -0.5],
    [0.0, 0.0, 0.0, 1.0],
]


def euclidean(**options):
    return stnkit.build("transform", "euclidean", **options)


def in_pixels(angle, shift, size=SIZE):
    """θ of p ↦ R p + t between pixel indices."""
    cos, sin = math.cos(angle), math.sin(angle)
    matrix = torch.tensor([[cos, -sin, shift[0]], [sin, cos, shift[1]], [0, 0, 1]], dtype=torch.float64)
    return euclidean(aspect=size[1] / size[0]).from_matrix(coordinates.normalized_matrix(matrix, size, size)[None])


def test_a_matrix_of_pixels_is_one_of_the_family():
    matrix = coordinates.normalized_matrix(torch.tensor(TURNED, dtype=torch.float64), SIZE, SIZE)
    family = euclidean(in_shape=(1, *SIZE))
    theta = family.from_matrix(matrix[None])
    assert theta[0, 0].item() == pytest.approx(0.3, abs=1e-15)
    assert (family.matrix(theta)[0] - matrix).abs().max() < 1e-15
    with pytest.raises(stnkit.errors.InputError, match=r"^Euclidean\.from_matrix"):
        euclidean().from_matrix(matrix[None])  # which shears the pixels of a square image


def test_the_warp_is_that_of_scikit_image():
    image = torch.from_numpy(np.arange(30.0).reshape(1, 1, *SIZE) ** 1.5 % 7)
    warped = stnkit.warp(euclidean(aspect=1.2), in_pixels(0.3, (2, -1)), image, stnkit.build("sampler", "bilinear"))
    assert (warped[0, 0] - torch.tensor(WARPED, dtype=torch.float64)).abs().max() < 1e-12


def test_compositions_and_inverses_are_those_of_scikit_image():
    family = euclidean(aspect=1.2)
    theta, other = in_pixels(0.3, (2, -1)), in_pixels(-1.1, (0.5, 3))
    assert (family.compose(other, theta) - in_pixels(*FIRST_T_THEN_U)).abs().max() < 1e-14
    inverse = family.from_matrix(torch.linalg.inv(family.matrix(theta)))
    assert (inverse - in_pixels(*INVERSE)).abs().max() < 1e-14
    points = coordinates.lattice(SIZE, dtype=torch.float64).view(1, -1, 2)
    assert (family.inverse(theta, points) - family(in_pixels(*INVERSE), points)).abs().max() < 1e-14


def test_a_matrix_of_euler_angles_is_one_of_the_family():
    family, matrix = euclidean(ndim=3), torch.tensor([VOLUME], dtype=torch.float64)
    theta = family.from_matrix(matrix)
    assert (family.matrix(theta) - matrix).abs().max() < 1e-15
    expected = Rotation.from_matrix(np.array(VOLUME)[:3, :3]).as_rotvec()
    assert np.abs(theta[0, :3].numpy() - expected).max() < 1e-14
    assert theta[0, 3:].tolist() == [1.0, 2.0, -0.5]


@pytest.mark.parametrize("sides", [[1.0, 1.0, 1.0], [40.0, 30.0, 12.0]])
def test_motions_of_volumes_compose_as_those_of_scipy(sides):
    family, half = euclidean(ndim=3, aspect=sides), np.array(sides) / 2
    draw = np.random.default_rng(0)
    for _ in range(20):
        outer, inner = draw.uniform(-1.5, 1.5, (2, 6))
        turn, first = (Rotation.from_rotvec(theta[:3]) for theta in (outer, inner))
        shift = turn.apply(inner[3:] * half) / half + outer[3:]
        composed = family.compose(*(torch.from_numpy(theta)[None] for theta in (outer, inner)))[0].numpy()
        assert np.abs(composed - np.concatenate([(turn * first).as_rotvec(), shift])).max() < 1e-12
        points = draw.uniform(-1, 1, (7, 3))
        found = family(torch.from_numpy(outer)[None], torch.from_numpy(points)[None])[0].numpy()
        assert np.abs(found - turn.apply(points * half) / half - outer[3:]).max() < 1e-12


def test_a_similarity_without_scale_is_a_euclidean_map():
    for options, turns in (({"aspect": 1.5}, 1), ({"ndim": 3, "aspect": [3.0, 2.0, 1.0]}, 3)):
        rigid, similar = euclidean(**options), stnkit.build("transform", "similarity", **options)
        theta = torch.rand(4, rigid.n_params, dtype=torch.float64)
        scaled = torch.cat([theta[:, :turns], torch.zeros(4, 1, dtype=torch.float64), theta[:, turns:]], dim=1)
        assert torch.equal(rigid.matrix(theta), similar.matrix(scaled))
