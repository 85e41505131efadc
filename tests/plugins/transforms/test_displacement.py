"""Dense displacement fields, against SciPy's linear interpolation and their own properties."""

import pytest
import scipy.ndimage
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import stnkit
from stnkit import coordinates
from tests.helpers import lattice_points, random_points, random_theta

RESOLUTIONS = [[8, 8], [3, 5], [1, 4], [1, 1], [2, 3, 4], [3, 1, 2]]
SIZES = {2: [(7, 10), (1, 6), (6, 1), (1, 1), (2, 2)], 3: [(3, 5, 4), (1, 2, 1)]}


def displacement(resolution=None):
    ndim = 2 if resolution is None else len(resolution)
    return stnkit.build("transform", "displacement", resolution=resolution, ndim=ndim)


def by_scipy(resolution, theta, points):
    """Every coordinate of the field read by SciPy as an image, with its border beyond it."""
    indices = [((points[:, -1 - axis] + 1) * n - 1).numpy() / 2 for axis, n in enumerate(resolution)]
    fields = theta.view(len(resolution), *resolution).numpy()
    read = [scipy.ndimage.map_coordinates(f, indices, order=1, mode="nearest", prefilter=False) for f in fields]
    return points + torch.stack([torch.from_numpy(values) for values in read], dim=-1)


@pytest.mark.parametrize("reach", [1.0, 3.0])
@pytest.mark.parametrize("resolution", RESOLUTIONS, ids=str)
def test_forward_is_scipys_interpolation_even_beyond_the_field(resolution, reach):
    family = displacement(resolution)
    theta = random_theta(family, batch=1)
    points = random_points(family, batch=1, n=200, reach=reach)
    expected = by_scipy(resolution, theta[0], points[0])
    torch.testing.assert_close(family(theta, points)[0], expected, atol=1e-10, rtol=0)


@pytest.mark.parametrize("resolution", RESOLUTIONS, ids=str)
def test_grid_is_scipys_interpolation(resolution):
    family = displacement(resolution)
    theta = random_theta(family)
    for size in SIZES[family.ndim]:
        grid = family.grid(theta, size).reshape(3, -1, family.ndim)
        for row, found in zip(theta, grid, strict=True):
            expected = by_scipy(resolution, row, lattice_points(size)[0])
            torch.testing.assert_close(found, expected, atol=1e-10, rtol=0)


@pytest.mark.parametrize("resolution", RESOLUTIONS, ids=str)
def test_equal_displacements_are_a_translation_everywhere(resolution):
    family = displacement(resolution)
    shift = torch.tensor([0.3, -0.2, 0.1], dtype=torch.float64)[: family.ndim]
    theta = shift.repeat_interleave(family.n_params // family.ndim)[None]
    points = random_points(family, batch=1, reach=2)
    torch.testing.assert_close(family(theta, points), points + shift, atol=1e-14, rtol=0)


@pytest.mark.parametrize("resolution", [[4, 6], [2, 3, 4]], ids=str)
def test_a_field_of_the_output_size_displaces_each_pixel(resolution):
    family = displacement(resolution)
    theta = random_theta(family, batch=1)
    field = theta.view(family.ndim, *resolution).movedim(0, -1)
    expected = coordinates.lattice(resolution, dtype=torch.float64) + field
    torch.testing.assert_close(family.grid(theta, resolution)[0], expected, atol=1e-14, rtol=0)


@settings(deadline=None, max_examples=25)
@given(resolution=st.lists(st.integers(1, 6), min_size=2, max_size=3), seed=st.integers(0, 2**31))
def test_no_point_is_displaced_farther_than_the_field_goes(resolution, seed):
    family = displacement(resolution)
    theta = random_theta(family, batch=1, seed=seed)
    points = random_points(family, batch=1, reach=2, seed=seed)
    moved = (family(theta, points) - points)[0]
    field = theta.view(family.ndim, -1)
    assert (moved <= field.amax(dim=1) + 1e-12).all()
    assert (moved >= field.amin(dim=1) - 1e-12).all()


@pytest.mark.parametrize("resolution", [[3, 4], [1, 3], [2, 3, 2]], ids=str)
def test_gradients_are_right_between_the_kinks(resolution):
    family = displacement(resolution)
    theta = random_theta(family, batch=1).requires_grad_()
    points = random_points(family, batch=1, n=5, reach=1.3).requires_grad_()
    assert torch.autograd.gradcheck(family, (theta, points))
    assert torch.autograd.gradgradcheck(family, (theta, points))
    assert torch.autograd.gradcheck(lambda t: family.grid(t, (3, 4, 2)[: family.ndim]), (theta,))


def test_gradients_on_the_kinks_are_finite():
    family = displacement([3, 4])
    points = lattice_points((3, 4)).requires_grad_()
    family(random_theta(family, batch=1), points).sum().backward()
    assert points.grad.isfinite().all()


@pytest.mark.parametrize("resolution", RESOLUTIONS, ids=str)
def test_inverse_undoes_a_displacement_without_folds(resolution):
    family = displacement(resolution)
    # Neighboring cells differ by less than a quarter of their distance along each axis.
    bound = 0.25 / (family.ndim * max(resolution))
    theta = random_theta(family, scale=10, dtype=torch.float32).tanh() * bound
    points = random_points(family, reach=1.2, dtype=torch.float32)
    found = family.inverse(theta, family(theta, points))
    torch.testing.assert_close(found, points, atol=1e-4, rtol=0)


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ndim": 1}, "ndim: expected 2 or 3, got 1"),
        ({"resolution": [8]}, "expected 2 whole numbers of at least 1, got .8."),
        ({"resolution": [8, 8], "ndim": 3}, "3 whole numbers of at least 1"),
        ({"resolution": [0, 8]}, "of at least 1, got .0, 8."),
        ({"resolution": []}, "2 whole numbers"),
        ({"resolution": [8.0, 8]}, "resolution: expected"),
        ({"resolution": "8x8"}, "resolution: expected"),
        ({"size": [8, 8]}, "has no option 'size'"),
    ],
)
def test_bad_options_are_refused_in_one_sentence(options, message):
    with pytest.raises(stnkit.errors.InputError, match=message) as refused:
        stnkit.build("transform", "displacement", **options)
    assert "\n" not in str(refused.value)
