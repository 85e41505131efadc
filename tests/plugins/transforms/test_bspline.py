"""Free-form deformations by cubic B-splines, against SciPy's splines and their own properties."""

import numpy as np
import pytest
import scipy.interpolate
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

import stnkit
from stnkit.families.derivatives import derivatives
from tests.helpers import lattice_points, random_points, random_theta

LATTICES = [[4, 4], [8, 8], [5, 9], [4, 6, 5]]
SIZES = {2: [(7, 10), (1, 6), (6, 1), (1, 1)], 3: [(3, 5, 4), (1, 2, 1)]}


def bspline(control_points=None, **options):
    ndim = 2 if control_points is None else len(control_points)
    return stnkit.build("transform", "bspline", control_points=control_points, ndim=ndim, **options)


def edge_points(ndim, n=40):
    """Points on every side of the image."""
    points = 2 * torch.rand(2 * ndim, n, ndim, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) - 1
    for side in range(2 * ndim):
        points[side, :, side // 2] = 2 * (side % 2) - 1
    return points.view(1, -1, ndim)


def layers(control_points, n):
    """Indices of the control points in the outermost n layers on every side."""
    inner = torch.ones([c - 2 * n for c in control_points], dtype=torch.bool)
    padded = torch.nn.functional.pad(inner, [n] * 2 * len(control_points))
    return (~padded.flatten()).nonzero()[:, 0].tolist()


def centers(control_points):
    """(ndim, *control_points): where the documentation says that the control points lie."""
    axes = [-1 + (np.arange(n) - 1) * 2 / (n - 3) for n in control_points]
    return torch.tensor(np.stack(np.meshgrid(*axes, indexing="ij")[::-1]))


def by_scipy(control_points, theta, points):
    """The same deformation as a tensor-product spline of SciPy, with zeros around the lattice."""
    ndim, around = len(control_points), 12
    displacements = theta.view(ndim, *control_points).movedim(0, -1).numpy()
    padded = np.pad(displacements, [(around, around)] * ndim + [(0, 0)])
    knots = []
    for n in control_points:
        spacing = 2 / (n - 3)
        first_center = -1 - spacing - around * spacing
        knots.append(first_center + spacing * (np.arange(n + 2 * around + 4) - 2))
    spline = scipy.interpolate.NdBSpline(tuple(knots), padded, 3, extrapolate=False)
    return points + torch.tensor(spline(points.flip(-1).numpy()))


@pytest.mark.parametrize("reach", [1.0, 4.0])
@pytest.mark.parametrize("control_points", LATTICES, ids=str)
def test_forward_is_scipys_spline_inside_and_beyond_the_lattice(control_points, reach):
    family = bspline(control_points)
    theta = random_theta(family, batch=1)
    points = random_points(family, batch=1, n=200, reach=reach)
    expected = by_scipy(control_points, theta[0], points[0])
    torch.testing.assert_close(family(theta, points)[0], expected, atol=1e-10, rtol=0)


@pytest.mark.parametrize("control_points", LATTICES, ids=str)
def test_grid_is_scipys_spline(control_points):
    family = bspline(control_points)
    theta = random_theta(family)
    size = SIZES[family.ndim][0]
    grid = family.grid(theta, size).reshape(3, -1, family.ndim)
    for row, found in zip(theta, grid, strict=True):
        expected = by_scipy(control_points, row, lattice_points(size)[0])
        torch.testing.assert_close(found, expected, atol=1e-10, rtol=0)


@pytest.mark.parametrize("control_points", LATTICES, ids=str)
def test_equal_displacements_translate_the_whole_image(control_points):
    family = bspline(control_points)
    shift = torch.tensor([0.3, -0.2, 0.1], dtype=torch.float64)[: family.ndim]
    theta = shift.repeat_interleave(family.n_params // family.ndim)[None]
    corners = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0], dtype=torch.float64)] * family.ndim)
    points = torch.cat([random_points(family, batch=1)[0], corners])[None]
    torch.testing.assert_close(family(theta, points), points + shift, atol=1e-14, rtol=0)


@pytest.mark.parametrize("control_points", LATTICES, ids=str)
def test_control_points_moved_by_an_affine_map_give_that_map(control_points):
    family = bspline(control_points)
    affine = stnkit.build("transform", "affine", ndim=family.ndim)
    matrix = affine.identity()[None] + random_theta(affine, batch=1)
    at = centers(control_points).flatten(start_dim=1).T[None]
    theta = (affine(matrix, at) - at).transpose(1, 2).reshape(1, -1)
    points = random_points(family, batch=1)
    torch.testing.assert_close(family(theta, points), affine(matrix, points), atol=1e-13, rtol=0)


def test_a_control_point_reaches_two_spacings_and_no_farther():
    family = bspline([8, 8])
    theta = torch.zeros(1, family.n_params, dtype=torch.float64)
    theta[0, 64 + 8 * 2 + 5] = 0.1  # the y displacement of row 2, column 5
    at = centers([8, 8])[:, 2, 5]
    points = random_points(family, batch=1, n=500)
    moved = family(theta, points) - points
    near = ((points - at).abs() < 2 * (2 / 5)).all(dim=-1)
    assert (moved[..., 0] == 0).all()
    assert torch.equal(moved[..., 1] != 0, near)
    torch.testing.assert_close(
        family(theta, at.view(1, 1, 2))[0, 0, 1] - at[1],
        torch.tensor(0.1 * (2 / 3) ** 2, dtype=torch.float64),
    )


@pytest.mark.slow
@pytest.mark.parametrize("control_points", [[4, 5], [4, 4, 4]], ids=str)
def test_gradients_are_right_on_knots_and_beyond_the_lattice(control_points):
    family = bspline(control_points)
    theta = random_theta(family, batch=1).requires_grad_()
    spacing = torch.tensor([2 / (n - 3) for n in reversed(control_points)], dtype=torch.float64)
    on_knots = -1 + spacing * torch.arange(-3, 4, dtype=torch.float64)[:, None]
    points = torch.cat([random_points(family, batch=1, n=2)[0], on_knots])[None].requires_grad_()
    assert torch.autograd.gradcheck(family, (theta, points))
    assert torch.autograd.gradcheck(lambda t: family.grid(t, (2, 3, 2)[: family.ndim]), (theta,))


@pytest.mark.slow
def test_second_derivatives_are_right():
    family = bspline([4, 5])
    theta = random_theta(family, batch=1).requires_grad_()
    points = random_points(family, batch=1, n=4).requires_grad_()
    assert torch.autograd.gradgradcheck(family, (theta, points))


@pytest.mark.parametrize("control_points", LATTICES, ids=str)
def test_inverse_undoes_a_deformation_without_folds(control_points):
    family = bspline(control_points)
    bound = 0.35 * 2 / (max(control_points) - 3)
    theta = random_theta(family, scale=10, dtype=torch.float32).tanh() * bound
    points = random_points(family, dtype=torch.float32)
    found = family.inverse(theta, family(theta, points))
    torch.testing.assert_close(found, points, atol=1e-4, rtol=0)


@settings(deadline=None, max_examples=25)
@given(
    rows=st.integers(4, 9),
    columns=st.integers(4, 9),
    seed=st.integers(0, 2**31),
)
def test_displacements_under_the_documented_bound_never_fold(rows, columns, seed):
    family = bspline([rows, columns])
    bounds = 0.48 * torch.tensor([2 / (columns - 3), 2 / (rows - 3)], dtype=torch.float64)
    signs = random_theta(family, batch=1, seed=seed).sign().view(1, 2, -1)
    theta = (signs * bounds[:, None]).view(1, -1)
    points = random_points(family, batch=1, n=300, reach=1.5, seed=seed).requires_grad_()
    source = family(theta, points)
    dx, dy = (torch.autograd.grad(source[..., d].sum(), points, retain_graph=True)[0] for d in range(2))
    determinant = dx[..., 0] * dy[..., 1] - dx[..., 1] * dy[..., 0]
    assert (determinant > 0).all()


@pytest.mark.parametrize("control_points", [[7, 7], [8, 11], [7, 8, 7]], ids=str)
def test_with_pinned_borders_the_edge_and_the_outside_stay(control_points):
    family = bspline(control_points, pinned="borders")
    assert list(family.pinned) == layers(control_points, 3)
    assert family.n_params == family.ndim * np.prod([n - 6 for n in control_points])
    theta = random_theta(family, scale=10)
    edge = edge_points(family.ndim)
    torch.testing.assert_close(family(theta, edge), edge.expand(3, -1, -1), atol=1e-14, rtol=0)
    assert torch.equal(family(theta, 1.001 * edge), 1.001 * edge.expand(3, -1, -1))
    assert (family(theta, 0.5 * edge) - 0.5 * edge).abs().max() > 0.1
    # So do the first two derivatives, up to the last bits of β.
    jacobian = stnkit.families.jacobian(family, theta, edge)
    torch.testing.assert_close(jacobian, torch.eye(family.ndim).double().expand_as(jacobian), atol=1e-12, rtol=0)
    points = edge.clone().requires_grad_()
    (slope,) = torch.autograd.grad(family(theta[:1], points).sum(), points, create_graph=True)
    (bend,) = torch.autograd.grad(slope.sum(), points)
    assert bend.abs().max() <= 1e-10


@pytest.mark.parametrize("n_layers", [1, 2])
def test_the_edge_moves_with_fewer_than_three_layers_pinned(n_layers):
    family = bspline([8, 9], pinned=layers([8, 9], n_layers))
    moved = family(random_theta(family), edge_points(2)) - edge_points(2)
    assert (moved.abs() > 1e-3).double().mean() > 0.5


@pytest.mark.parametrize(
    ("control_points", "pinned"), [([5, 6], [0, 7, 29]), ([7, 8], "borders"), ([4, 5, 4], [3])], ids=str
)
def test_a_pinned_map_is_that_of_zeros_in_theta(control_points, pinned):
    family, whole = bspline(control_points, pinned=pinned), bspline(control_points)
    assert not family.identity().any()
    theta = random_theta(family)
    free = [k for k in range(int(np.prod(control_points))) if k not in family.pinned]
    filled = torch.zeros(len(theta), family.ndim, int(np.prod(control_points)), dtype=torch.float64)
    filled[:, :, free] = theta.view(len(theta), family.ndim, -1)
    points, size = random_points(family, reach=1.5), SIZES[family.ndim][0]
    assert torch.equal(family(theta, points), whole(filled.flatten(start_dim=1), points))
    assert torch.equal(family.grid(theta, size), whole.grid(filled.flatten(start_dim=1), size))


class LargestTensor(TorchDispatchMode):
    """Notes the number of entries of the largest tensor that is made."""

    def __init__(self):
        super().__init__()
        self.numel = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor):
            self.numel = max(self.numel, result.numel())
        return result


@pytest.mark.no_jaxtyping
def test_no_basis_over_all_pixels_is_ever_made():
    family = bspline([64, 64])
    theta = random_theta(family, batch=1, dtype=torch.float32).requires_grad_()
    with LargestTensor() as largest:
        family.grid(theta, (128, 128)).sum().backward()
    assert largest.numel == 2 * 128 * 128
    with LargestTensor() as largest:
        family(theta, lattice_points((128, 128), torch.float32)).sum().backward()
    assert largest.numel == 2 * 128 * 128


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ndim": 4}, "ndim: expected 2 or 3, got 4"),
        ({"control_points": [8]}, "expected 2 whole numbers of at least 4, got .8."),
        ({"control_points": [8, 8, 8]}, "2 whole numbers of at least 4"),
        ({"control_points": [8, 8], "ndim": 3}, "3 whole numbers of at least 4"),
        ({"control_points": [3, 8]}, "of at least 4, got .3, 8."),
        ({"control_points": []}, "2 whole numbers"),
        ({"control_points": [8.0, 8]}, "control_points: expected"),
        ({"control_points": 8}, "control_points: expected"),
        ({"pinned": "edges"}, "pinned: expected borders, or different indices .* from 0 to 63, got 'edges'"),
        ({"pinned": [64]}, "pinned: expected borders, or different indices of control points from 0 to 63, got .64."),
        ({"pinned": "borders", "control_points": [6, 9]}, "expected a control point that is free, got borders, all 54"),
        ({"control_point": [8, 8]}, "has no option 'control_point'"),
    ],
)
def test_bad_options_are_refused_in_one_sentence(options, message):
    with pytest.raises(stnkit.errors.InputError, match=message) as refused:
        stnkit.build("transform", "bspline", **options)
    assert "\n" not in str(refused.value)


@pytest.mark.no_jaxtyping
def test_it_does_not_compose():
    family = bspline()
    with pytest.raises(stnkit.errors.DoesNotComposeError, match="BSpline does not compose"):
        family.compose(random_theta(family), random_theta(family))


@pytest.mark.parametrize(
    "options", [{"control_points": [5, 8]}, {"pinned": "borders"}, {"control_points": [4, 5, 6], "ndim": 3}], ids=str
)
def test_bending_is_that_of_the_derivatives_of_forward(options):
    family, size = stnkit.build("transform", "bspline", **options), (6, 7, 5)[: options.get("ndim", 2)]
    theta = random_theta(family, batch=2).requires_grad_()
    second, _ = derivatives(family, theta, size, order=2)
    expected = second.square().sum(dim=(-3, -2, -1)).mean(dim=1)
    found = stnkit.bending_energy(family, theta, size)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(*(torch.autograd.grad(energy.sum(), theta)[0] for energy in (found, expected)))
