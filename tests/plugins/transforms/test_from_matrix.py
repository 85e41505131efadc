"""θ of a matrix: what is of the family, what is refused, and which side of the horizon stays in front."""

import math

import numpy as np
import pytest
import torch

import stnkit

AFFINE = [
    ("translation", {}),
    ("translation", {"ndim": 3}),
    ("scale", {}),
    ("scale", {"isotropic": False}),
    ("scale", {"isotropic": False, "ndim": 3}),
    ("rotation", {}),
    ("rotation", {"aspect": 3.0}),
    ("rotation", {"ndim": 3}),
    ("rotation", {"ndim": 3, "aspect": [3.0, 2.0, 1.5]}),
    ("euclidean", {}),
    ("euclidean", {"aspect": 3.0}),
    ("euclidean", {"ndim": 3, "aspect": [3.0, 2.0, 1.5]}),
    ("attention", {}),
    ("attention", {"isotropic": False}),
    ("attention", {"isotropic": False, "ndim": 3}),
    ("similarity", {}),
    ("similarity", {"aspect": 0.25}),
    ("similarity", {"ndim": 3}),
    ("similarity", {"ndim": 3, "aspect": [3.0, 2.0, 1.5]}),
    ("affine", {}),
    ("affine", {"ndim": 3}),
]
PROJECTIVE = [("projective", {}), ("homography4", {})]
SHEAR = [[1.0, 0.5, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
MIRROR = [[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
STRETCH = [[2.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
DOUBLE = [[2.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 1.0]]
SHIFT = [[1.0, 0.0, 0.5], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
TILT = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.25, 0.0, 1.0]]
NOTHING = [[0.0] * 3] * 3
NOT_A_NUMBER = [[math.nan] * 3] * 3
CENTER_BEHIND = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [2.0, 0.0, -0.5]]
OF_NO_THETA = {
    "translation": [SHEAR, MIRROR, STRETCH, TILT, NOTHING, NOT_A_NUMBER],
    "scale": [SHEAR, MIRROR, STRETCH, SHIFT, TILT, NOTHING, NOT_A_NUMBER],
    "rotation": [SHEAR, MIRROR, STRETCH, SHIFT, TILT, NOTHING, NOT_A_NUMBER],
    "euclidean": [SHEAR, MIRROR, STRETCH, DOUBLE, TILT, NOTHING, NOT_A_NUMBER],
    "attention": [SHEAR, MIRROR, STRETCH, TILT, NOTHING, NOT_A_NUMBER],
    "similarity": [SHEAR, MIRROR, STRETCH, TILT, NOTHING, NOT_A_NUMBER],
    "affine": [TILT, NOTHING, NOT_A_NUMBER],
    "projective": [NOTHING, NOT_A_NUMBER, CENTER_BEHIND],
    "homography4": [NOTHING, NOT_A_NUMBER, CENTER_BEHIND],
}
REFUSED = [(name, matrix) for name, matrices in OF_NO_THETA.items() for matrix in matrices]
every_projective = pytest.mark.parametrize(("name", "options"), PROJECTIVE)


def build(name, options=None):
    return stnkit.build("transform", name, **(options or {}))


def in_front(matrix, points):
    """(M p̃)[:2] / (M p̃)[2] by hand in NumPy, and the mask of points with a positive divisor."""
    image = np.concatenate([points, np.ones((len(points), 1))], axis=1) @ matrix.T
    return image[:, :2] / image[:, 2:], image[:, 2] > 0


@pytest.mark.parametrize(("name", "options"), AFFINE + PROJECTIVE)
@pytest.mark.parametrize("factor", [1.0, 2.0, 1e-9, -3.0])
def test_a_multiple_of_the_unit_matrix_is_the_identity(name, options, factor):
    family = build(name, options)
    theta = family.from_matrix(factor * torch.eye(family.ndim + 1, dtype=torch.float64)[None])
    assert torch.allclose(theta[0], family.identity(), rtol=0, atol=1e-15)


@pytest.mark.parametrize(("name", "matrix"), REFUSED)
def test_a_matrix_of_no_theta_is_refused(name, matrix):
    family = build(name)
    batch = torch.stack([torch.eye(3), torch.tensor(matrix)])
    with pytest.raises(stnkit.errors.InputError) as refusal:
        family.from_matrix(batch)
    message = str(refusal.value)
    assert message.startswith(f"{type(family).__name__}.from_matrix: expected the matrix of a map of this family")
    assert f"got {matrix} at index 1 of the batch" in message


@pytest.mark.parametrize("name", ["rotation", "euclidean", "similarity"])
@pytest.mark.parametrize(
    "linear",
    [
        torch.diag(torch.tensor([-1.0, 1.0, 1.0])),
        -torch.eye(3),
        torch.diag(torch.tensor([1.0, 1.0, 1.1])),
        torch.eye(3) + torch.diag(torch.tensor([0.1, 0.0]), 1),
        torch.zeros(3, 3),
        torch.full((3, 3), math.nan),
    ],
    ids=["mirror", "point mirror", "stretch", "shear", "nothing", "nan"],
)
def test_a_matrix_of_no_rotation_of_a_volume_is_refused(name, linear):
    matrix = torch.eye(4)[None].clone()
    matrix[0, :3, :3] = linear
    with pytest.raises(stnkit.errors.InputError, match="from_matrix: expected the matrix of a map of this family"):
        build(name, {"ndim": 3}).from_matrix(matrix)


@pytest.mark.parametrize("name", ["translation", "scale", "rotation", "euclidean", "attention", "similarity"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_float_error_is_accepted_and_more_is_not(name, dtype):
    family = build(name)
    matrix = 4 * torch.eye(3, dtype=torch.float64)
    matrix[0, 1] = 4 * 5e-5
    assert torch.allclose(family.from_matrix(matrix[None].to(dtype))[0].double(), family.identity(), atol=1e-4)
    matrix[0, 1] = 4 * (2e-4 if dtype.itemsize > 2 else 0.1)
    with pytest.raises(stnkit.errors.InputError, match="up to a factor and relative errors of"):
        family.from_matrix(matrix[None].to(dtype))


def test_a_long_shift_does_not_hide_a_small_shear():
    matrix = torch.tensor([[[1.0, 1e-2, 1000.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]])
    with pytest.raises(stnkit.errors.InputError, match=r"^Similarity\.from_matrix"):
        build("similarity").from_matrix(matrix)


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.eye(3), "matrix: expected a tensor, got ndarray"),
        (torch.eye(3), r"expected shape \(B, 3, 3\), got \(3, 3\)"),
        (torch.eye(4)[None], r"expected shape \(B, 3, 3\), got \(1, 4, 4\)"),
        (torch.eye(3, dtype=torch.int64)[None], "expected a floating-point matrix, got torch.int64"),
    ],
)
def test_a_matrix_of_another_form_is_refused(matrix, message):
    with pytest.raises(stnkit.errors.InputError, match=rf"^Affine\.from_matrix: {message}"):
        build("affine").from_matrix(matrix)


@every_projective
def test_points_in_front_stay_in_front(name, options):
    family, rng = build(name, options), np.random.default_rng(0)
    points = np.stack(np.meshgrid(*[np.linspace(-1, 1, 9)] * 2), axis=-1).reshape(-1, 2)
    seen = {"accepted": 0, "crossed": 0, "all behind": 0, "refused": 0}
    for _ in range(300):
        matrix = rng.uniform(-1, 1, (3, 3)) + rng.choice([0, 2, -2]) * np.eye(3)
        w = np.concatenate([points, np.ones((len(points), 1))], axis=1) @ matrix[2]
        if np.linalg.cond(matrix) > 100 or np.abs(w).min() < 1e-2:
            continue  # without corners near infinity, in which homography4 has its θ
        source, front = in_front(matrix, points)
        if matrix[2, 2] < 0 and front.any():
            with pytest.raises(stnkit.errors.InputError, match="has the center of the output behind the horizon"):
                family.from_matrix(torch.from_numpy(matrix)[None])
            seen["refused"] += 1
            continue
        if not front.any():
            source, front = in_front(-matrix, points)  # the sign of such a matrix has no meaning
            seen["all behind"] += 1
        found = family(family.from_matrix(torch.from_numpy(matrix)[None]), torch.from_numpy(points)[None])[0].numpy()
        assert np.abs(found[front] - source[front]).max() < 1e-9
        assert (found[~front] == stnkit.coordinates.OUTSIDE).all()
        seen["accepted"] += 1
        seen["crossed"] += bool((~front).any())
    assert min(seen.values()) >= 10, seen


@every_projective
def test_inverse_and_compose_take_no_point_across_the_horizon(name, options):
    family = build(name, options)
    # The horizon crosses the output: w = 1 − 1.25·x is negative beyond x = 0.8.
    outer = np.array([[1.0, 0.2, 0.1], [-0.1, 0.9, 0.0], [-1.25, 0.0, 1.0]])
    inner = np.array([[0.9, 0.0, 0.2], [0.1, 1.1, 0.0], [0.3, -0.2, 1.0]])
    points = np.stack(np.meshgrid(*[np.linspace(-0.95, 0.95, 8)] * 2), axis=-1).reshape(-1, 2)
    theta_outer, theta_inner = (family.from_matrix(torch.from_numpy(m)[None]) for m in (outer, inner))

    source, front = in_front(outer, points)
    assert front.any()
    assert (~front).any()
    found = family.inverse(theta_outer, torch.from_numpy(source)[None])[0].numpy()
    assert np.abs(found[front] - points[front]).max() < 1e-9
    assert np.isnan(found[~front]).all()

    composed = family(family.compose(theta_outer, theta_inner), torch.from_numpy(points)[None])[0].numpy()
    source, front = in_front(outer @ inner, points)
    far = np.maximum(1, np.abs(source[front]))  # one point is next to the horizon
    assert (np.abs(composed[front] - source[front]) / far).max() < 1e-9
    assert (composed[~front] == stnkit.coordinates.OUTSIDE).all()


def test_a_saturated_scale_composes_but_has_no_matrix():
    family = build("scale")
    theta = torch.full((1, 1), 30.0, dtype=torch.float64)
    composed = family.compose(theta, theta)
    assert torch.allclose(composed, 2 * theta)
    assert torch.equal(family.matrix(composed), family.matrix(torch.full_like(theta, 40.0)))
    with pytest.raises(stnkit.errors.InputError, match=r"^Scale\.from_matrix"):
        family.from_matrix(torch.diag(torch.tensor([math.exp(60), math.exp(60), 1.0], dtype=torch.float64))[None])


@pytest.mark.slow
@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("name", ["similarity", "projective"])
def test_where_values_cannot_be_read_no_theta_is_nan(name):
    family = build(name)
    wrong = torch.tensor(SHEAR if family.affine else CENTER_BEHIND)
    matrices = torch.stack([2 * torch.eye(3), wrong])
    torch.compiler.reset()
    compiled = torch.compile(family.from_matrix, backend="aot_eager", fullgraph=True)(matrices)
    mapped = torch.func.vmap(lambda matrix: family.from_matrix(matrix[None])[0])(matrices)
    for theta in (compiled, mapped):
        assert torch.allclose(theta[0].double(), family.identity())
        assert theta[1].isnan().all()


@pytest.mark.slow
@pytest.mark.no_jaxtyping
def test_from_matrix_exports_and_differentiates():
    family = build("similarity")
    matrices = torch.stack([2 * torch.eye(3), torch.tensor(SHEAR)])

    class Parameters(torch.nn.Module):
        def forward(self, matrix):
            return family.from_matrix(matrix)

    exported = torch.export.export(Parameters(), (matrices,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    assert exported.module()(matrices[:1]).tolist() == [[0.0] * 4]
    matrix = family.matrix(torch.tensor([[0.3, 0.2, 0.1, -0.4]], dtype=torch.float64)).requires_grad_()
    # Along the family itself, the derivative of from_matrix(matrix(θ)) = θ.
    theta = torch.tensor([[0.3, 0.2, 0.1, -0.4]], dtype=torch.float64)
    jacobian = torch.func.jacrev(lambda theta: family.from_matrix(family.matrix(theta))[0])(theta)
    assert torch.allclose(jacobian[:, 0], torch.eye(4, dtype=torch.float64), atol=1e-12)
    assert torch.autograd.grad(family.from_matrix(matrix).sum(), matrix)[0].isfinite().all()
