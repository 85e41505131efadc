"""The exponential map and its logarithm, against SciPy and finite differences, at all angles."""

import math

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from stnkit.families import rotation_log, rotation_rows

CUBE, BRICK = (1.0, 1.0, 1.0), (40.0, 24.0, 15.0)
# On both sides of where the series end, and of a half turn.
ANGLES = [0.0, 1e-300, 1e-12, 1e-6, 1e-3, 0.06, 0.0633, 0.499, 0.501, 1.0, 3.0, math.pi - 1e-9, math.pi, 3.2, 6.28, 1e6]
every_angle = pytest.mark.parametrize("angle", ANGLES)
every_aspect = pytest.mark.parametrize("aspect", [CUBE, BRICK], ids=["cube", "brick"])


def vectors(angle, n=40):
    """Rotation vectors of one angle about random axes and the three of the coordinates."""
    axes = np.concatenate([np.eye(3), -np.eye(3), np.random.default_rng(0).normal(size=(n, 3))])
    return angle * axes / np.linalg.norm(axes, axis=1, keepdims=True)


def in_units_of(aspect, rotations):
    sides = np.diag(aspect)
    return np.linalg.inv(sides) @ rotations @ sides


def linear(vector, aspect=CUBE):
    return rotation_rows(vector, aspect)[..., :-1]


@every_angle
@every_aspect
def test_the_exponential_is_that_of_scipy(angle, aspect):
    expected = in_units_of(aspect, Rotation.from_rotvec(vectors(angle)).as_matrix())
    rows = rotation_rows(torch.from_numpy(vectors(angle)), aspect).numpy()
    assert np.abs(rows[..., :-1] - expected).max() < 1e-12
    assert not rows[..., -1].any()


@every_angle
@every_aspect
def test_the_logarithm_is_that_of_scipy(angle, aspect):
    rotations = Rotation.from_rotvec(vectors(angle))
    found, scale = rotation_log(torch.from_numpy(2.5 * in_units_of(aspect, rotations.as_matrix())), aspect)
    expected = rotations.as_rotvec()
    # A half turn is one about the axis and about its negative.
    same = np.abs(found.numpy() - expected).max(axis=1)
    if angle > math.pi - 1e-6:
        same = np.minimum(same, np.abs(found.numpy() + expected).max(axis=1))
    assert same.max() < 1e-12
    assert np.abs(scale.numpy() - 2.5).max() < 1e-13


def test_a_turn_about_z_is_the_turn_of_an_image():
    angle = torch.linspace(-7, 7, 29, dtype=torch.float64)[:, None]
    shift, scale = torch.rand(29, 3, dtype=torch.float64), torch.rand(29, 1, dtype=torch.float64) + 0.5
    flat = rotation_rows(angle, 3.0, scale, shift[:, :2])
    rows = rotation_rows(torch.nn.functional.pad(angle, (2, 0)), (6.0, 2.0, 1.0), scale, shift)
    assert torch.allclose(rows[:, :2, [0, 1, 3]], flat, rtol=0, atol=1e-14)
    assert not rows[:, :2, 2].any()


@pytest.mark.slow
@pytest.mark.parametrize("angle", [0.0, 1e-9, 1e-3, 0.499, 0.501, 2.0, math.pi - 1e-7, math.pi, 3.3])
def test_first_and_second_derivatives_pass_gradcheck(angle):
    vector = torch.from_numpy(vectors(angle, n=3)).requires_grad_()
    assert torch.autograd.gradcheck(lambda vector: linear(vector, BRICK), vector)
    assert torch.autograd.gradgradcheck(lambda vector: linear(vector, BRICK), vector)


@pytest.mark.slow
@pytest.mark.parametrize("angle", [0.0, 1e-9, 1e-3, 0.0632, 0.0633, 0.5, 2.0, 3.0])
def test_the_logarithm_differentiates_along_rotations(angle):
    # d log(exp(r)) = dr, and second derivatives are 0; near a half turn log is steep across the rotations alone.
    vector = torch.from_numpy(vectors(angle, n=2)).requires_grad_()

    def there_and_back(vector):
        return rotation_log(linear(vector, BRICK), BRICK)[0]

    for row in vector.detach():
        jacobian = torch.func.jacrev(lambda row: there_and_back(row[None])[0])(row)
        assert torch.allclose(jacobian, torch.eye(3, dtype=torch.float64), rtol=0, atol=1e-9)
    assert torch.autograd.gradgradcheck(there_and_back, vector, atol=1e-4)


@pytest.mark.parametrize("angle", [math.pi - 1e-3, math.pi - 1e-9, math.pi])
def test_the_logarithm_has_a_bounded_gradient_near_a_half_turn(angle):
    matrix = linear(torch.from_numpy(vectors(angle))).requires_grad_()
    (gradient,) = torch.autograd.grad(rotation_log(matrix, CUBE)[0].sum(), matrix)
    assert gradient.isfinite().all()
    assert gradient.abs().max() < 10
    step = 1e-6 * torch.randn(matrix.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    change = rotation_log(matrix.detach() + step, CUBE)[0] - rotation_log(matrix.detach(), CUBE)[0]
    # Beyond a half turn the vector jumps to the other side.
    near = change.abs().amax(dim=1) < 1
    assert near.sum() >= 10
    expected = (gradient * step).sum(dim=(1, 2))
    assert torch.allclose(change.sum(dim=1)[near], expected[near], rtol=0, atol=1e-10)


@settings(deadline=None, max_examples=50)
@given(vector=st.tuples(*[st.floats(-1e4, 1e4)] * 3))
def test_the_rows_are_the_expm_of_the_cross_product(vector):
    x, y, z = vector
    (found,) = linear(torch.tensor([vector], dtype=torch.float64))
    assert torch.allclose(found @ found.T, torch.eye(3, dtype=torch.float64), rtol=0, atol=1e-12)
    assert abs(float(torch.linalg.det(found)) - 1) < 1e-12
    if math.hypot(*vector) < 10:
        expected = scipy.linalg.expm(np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]))
        assert np.abs(found.numpy() - expected).max() < 1e-12


def test_angles_of_float32_are_as_exact_as_their_numbers():
    vector = torch.from_numpy(vectors(1000.0)).float()
    expected = Rotation.from_rotvec(vector.double().numpy()).as_matrix()
    assert linear(vector).dtype == torch.float32
    assert np.abs(linear(vector).numpy() - expected).max() < 1e-6


@pytest.mark.parametrize("value", [1e15, 1e30, 3e38])
def test_a_huge_vector_is_a_rotation_with_a_finite_gradient(value):
    vector = torch.tensor([[value, 0, 0], [value, -value, value]]).requires_grad_()
    rows = linear(vector)
    assert torch.allclose(rows @ rows.mT, torch.eye(3), atol=1e-5)
    assert torch.autograd.grad(rows.sum(), vector)[0].isfinite().all()


@pytest.mark.no_jaxtyping
def test_a_vector_that_is_no_number_leaves_the_others_unchanged():
    vector = torch.from_numpy(vectors(0.7, n=3))
    bad = vector.clone()
    bad[1], bad[2, 0] = math.nan, math.inf
    bad.requires_grad_()
    rows = linear(bad)
    assert rows[1].isnan().all()
    assert torch.equal(rows[3:], linear(vector)[3:])
    (gradient,) = torch.autograd.grad(rows[3:].sum(), bad)
    assert gradient.isfinite()[3:].all()


@pytest.mark.slow
@pytest.mark.no_jaxtyping
def test_both_compile_export_and_map_over_vectors():
    def both(vector):
        rows = rotation_rows(vector, BRICK)
        return rows, rotation_log(rows[..., :-1], BRICK)[0]

    vector = torch.from_numpy(vectors(0.3, n=2))
    expected = both(vector)
    torch.compiler.reset()
    compiled = torch.compile(both, backend="aot_eager", fullgraph=True)(vector)
    mapped = torch.func.vmap(lambda row: tuple(made[0] for made in both(row[None])))(vector)
    for found in (compiled, mapped):
        for ours, theirs in zip(found, expected, strict=True):
            assert torch.allclose(ours, theirs, rtol=0, atol=1e-14)
