"""Families of matrices, each with the matrix that numpy makes of θ by the definition."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

import stnkit


@dataclasses.dataclass
class Case:
    name: str
    matrix: Callable[[np.ndarray], np.ndarray]  # (P,) -> (ndim + 1, ndim + 1)
    options: dict = dataclasses.field(default_factory=dict)
    spread: float = 0.5
    closed: bool = True  # under composition

    def __str__(self):
        return "-".join([self.name, *(f"{key}={value}" for key, value in self.options.items())])

    def build(self):
        return stnkit.build("transform", self.name, **self.options)

    def theta(self, batch=4, seed=0, dtype=torch.float64):
        family = self.build()
        generator = torch.Generator().manual_seed(seed)
        noise = torch.rand(batch, family.n_params, generator=generator, dtype=torch.float64)
        return (family.identity() + self.spread * (2 * noise - 1)).to(dtype)


def affine_of(linear, shift):
    ndim = len(shift)
    return np.block([[np.asarray(linear), np.reshape(shift, (ndim, 1))], [np.zeros((1, ndim)), 1.0]])


def turn(angle, aspect):
    to_isotropic = np.diag([aspect, 1.0])
    rotation = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return np.linalg.inv(to_isotropic) @ rotation @ to_isotropic


def turn_of_volume(vector, sides=(1.0, 1.0, 1.0)):
    to_isotropic = np.diag(sides)
    return np.linalg.inv(to_isotropic) @ Rotation.from_rotvec(vector).as_matrix() @ to_isotropic


def quadrilateral(theta):
    """The matrix from the eight linear equations of the four corners, scaled to be 1 in the center."""
    corners = np.array([(-1, -1), (1, -1), (-1, 1), (1, 1)], dtype=float)
    equations, values = [], []
    for (x, y), (u, v) in zip(corners, corners + theta.reshape(2, 4).T, strict=True):
        equations += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return np.append(np.linalg.solve(equations, values), 1.0).reshape(3, 3)


# Sides of volumes, [width, height, depth].
BRICK = [3.0, 2.0, 1.5]

CASES = [
    Case("affine", lambda t: np.vstack([t.reshape(2, 3), [0, 0, 1]])),
    Case("affine", lambda t: np.vstack([t.reshape(3, 4), [0, 0, 0, 1]]), {"ndim": 3}, spread=0.3),
    Case("translation", lambda t: affine_of(np.eye(2), t)),
    Case("translation", lambda t: affine_of(np.eye(3), t), {"ndim": 3}),
    Case("rotation", lambda t: affine_of(turn(t[0], 1), [0, 0]), spread=3.0),
    Case("rotation", lambda t: affine_of(turn(t[0], 1.75), [0, 0]), {"aspect": 1.75}, spread=3.0),
    Case("rotation", lambda t: affine_of(turn_of_volume(t), [0] * 3), {"ndim": 3}, spread=1.5),
    Case("rotation", lambda t: affine_of(turn_of_volume(t, BRICK), [0] * 3), {"ndim": 3, "aspect": BRICK}),
    Case("scale", lambda t: affine_of(np.exp(t[0]) * np.eye(2), [0, 0])),
    Case("scale", lambda t: affine_of(np.diag(np.exp(t)), [0, 0]), {"isotropic": False}),
    Case("scale", lambda t: affine_of(np.exp(t[0]) * np.eye(3), [0, 0, 0]), {"ndim": 3}),
    Case("scale", lambda t: affine_of(np.diag(np.exp(t)), [0] * 3), {"ndim": 3, "isotropic": False}),
    Case("euclidean", lambda t: affine_of(turn(t[0], 1), t[1:])),
    Case("euclidean", lambda t: affine_of(turn(t[0], 0.6), t[1:]), {"aspect": 0.6}),
    Case("euclidean", lambda t: affine_of(turn_of_volume(t[:3]), t[3:]), {"ndim": 3}),
    Case("euclidean", lambda t: affine_of(turn_of_volume(t[:3], BRICK), t[3:]), {"ndim": 3, "aspect": BRICK}),
    Case("similarity", lambda t: affine_of(np.exp(t[1]) * turn(t[0], 1), t[2:])),
    Case("similarity", lambda t: affine_of(np.exp(t[1]) * turn(t[0], 0.6), t[2:]), {"aspect": 0.6}),
    Case("similarity", lambda t: affine_of(np.exp(t[3]) * turn_of_volume(t[:3]), t[4:]), {"ndim": 3}),
    Case(
        "similarity",
        lambda t: affine_of(np.exp(t[3]) * turn_of_volume(t[:3], BRICK), t[4:]),
        {"ndim": 3, "aspect": BRICK},
        spread=0.3,
    ),
    Case("attention", lambda t: affine_of(np.exp(t[0]) * np.eye(2), t[1:])),
    Case("attention", lambda t: affine_of(np.diag(np.exp(t[:2])), t[2:]), {"isotropic": False}),
    Case("attention", lambda t: affine_of(np.exp(t[0]) * np.eye(3), t[1:]), {"ndim": 3}),
    Case("attention", lambda t: affine_of(np.diag(np.exp(t[:3])), t[3:]), {"isotropic": False, "ndim": 3}),
    Case("shear", lambda t: affine_of([[1, t[0]], [t[1], 1]], [0, 0]), closed=False),
    Case(
        "shear",
        lambda t: affine_of([[1, t[0], t[1]], [t[2], 1, t[3]], [t[4], t[5], 1]], [0] * 3),
        {"ndim": 3},
        spread=0.3,
        closed=False,
    ),
    Case("projective", lambda t: np.append(t, 1.0).reshape(3, 3), spread=0.25),
    Case("homography4", quadrilateral, spread=0.3),
]


every = pytest.mark.parametrize("case", CASES, ids=str)
every_closed = pytest.mark.parametrize("case", [case for case in CASES if case.closed], ids=str)


SIZES = {2: [(5, 8), (1, 6), (6, 1), (1, 1)], 3: [(3, 4, 5), (1, 1, 4)]}


def lattice_of(size):
    axes = [(2 * np.arange(n) + 1) / n - 1 for n in size]
    return np.stack(np.meshgrid(*axes, indexing="ij")[::-1], axis=-1)


def project(matrix, points):
    image = np.concatenate([points, np.ones_like(points[..., :1])], axis=-1) @ matrix.T
    return image[..., :-1] / image[..., -1:]


def random_points(family, batch=1, n=30, seed=5, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.rand(batch, n, family.ndim, generator=generator, dtype=torch.float64).to(dtype) - 1


def drawn(case, data):
    family = case.build()
    entry = st.floats(-case.spread, case.spread)
    rows = data.draw(st.lists(st.tuples(*[entry] * family.n_params), min_size=2, max_size=2))
    return family, family.identity() + torch.tensor(rows, dtype=torch.float64)
