"""A symmetric basis gives the same grid from one corner of the lattice as from all of it."""

import pytest
import torch
from torch.autograd import gradcheck

import stnkit
from stnkit.families import lattice_basis
from stnkit.families.mirrored import corner, mirrored_product

RAGGED = [[-0.9, -0.8], [0.7, -1.0], [0.2, 0.9], [-0.6, 0.5], [0.1, 0.0]]


@pytest.fixture
def mirroring(monkeypatch):
    """Grids of every size and batch are made from one corner."""
    monkeypatch.setattr(lattice_basis, "MIRRORED_BYTES", 0)
    monkeypatch.setattr(lattice_basis, "MIRRORED_FUNCTIONS", 0)


def random_theta(family, batch=2):
    noise = torch.randn(batch, family.n_params, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return family.identity() + 0.3 * noise


@pytest.mark.parametrize("size", [(6, 8), (7, 5), (1, 9), (4, 1), (1, 1), (2, 3, 4), (5, 1, 3)])
@pytest.mark.parametrize("points", [3, 4])
def test_grid_from_one_corner_is_forward_on_the_whole_lattice(mirroring, size, points):
    family = stnkit.build("transform", "tps", ndim=len(size), control_points=[points, *[3] * (len(size) - 1)])
    theta = random_theta(family)
    everywhere = stnkit.coordinates.lattice(size, dtype=torch.float64).view(1, -1, len(size))
    expected = family.forward(theta, everywhere).view(2, *size, len(size))
    torch.testing.assert_close(family.grid(theta, size), expected, atol=1e-12, rtol=0)
    assert family._cardinal_basis._cache.get((size, corner(size), theta.dtype, theta.device)) is not None


def test_gradients_of_the_mirrored_product_are_right(mirroring):
    family = stnkit.build("transform", "tps", control_points=[2, 3])
    theta = random_theta(family).requires_grad_()
    assert gradcheck(lambda theta: family.grid(theta, (4, 5)), theta)


@pytest.mark.parametrize("points", [[4, 4], [2, 5], [3, 3, 3], [[-1.0, 0.0], [1.0, 0.0], [0.0, 0.5], [0.0, -0.5]]])
def test_reflections_say_how_the_basis_is_seen_in_a_mirror(points):
    ndim = len(points[0]) if isinstance(points[0], list) else len(points)
    family = stnkit.build("transform", "tps", control_points=points, ndim=ndim)
    at = torch.rand(20, ndim, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 3 - 1.5
    assert len(family.reflections) == ndim
    for functions in (family.basis, family._cardinal_functions):
        for coordinate, (order, signs) in enumerate(family.reflections):
            mirror = torch.ones(ndim, dtype=torch.float64)
            mirror[coordinate] = -1
            torch.testing.assert_close(functions(at * mirror), signs * functions(at)[:, order], atol=1e-12, rtol=0)


def test_a_basis_too_large_to_cache_is_cached_on_one_corner():
    family = stnkit.build("transform", "tps")
    theta, size = random_theta(family, batch=5), (8, 8)
    whole = 19 * 8 * 64
    family._cardinal_basis._cache.max_bytes = whole // 2
    grid = family.grid(theta, size)
    assert family._cardinal_basis._cache.get((size, corner(size), theta.dtype, theta.device)) is not None
    everywhere = stnkit.coordinates.lattice(size, dtype=torch.float64).view(1, -1, 2)
    torch.testing.assert_close(grid, family.forward(theta, everywhere).view(5, 8, 8, 2), atol=1e-12, rtol=0)


def test_control_points_without_symmetry_have_no_reflections(mirroring):
    family = stnkit.build("transform", "tps", control_points=RAGGED)
    assert family.reflections == ()
    theta = random_theta(family)
    everywhere = stnkit.coordinates.lattice((5, 6), dtype=torch.float64).view(1, -1, 2)
    expected = family.forward(theta, everywhere).view(2, 5, 6, 2)
    torch.testing.assert_close(family.grid(theta, (5, 6)), expected, atol=1e-12, rtol=0)


def test_vmap_over_theta_goes_through_the_mirrored_product(mirroring):
    family = stnkit.build("transform", "tps")
    theta = random_theta(family, batch=3)
    one_by_one = torch.func.vmap(lambda row: family.grid(row[None], (6, 5))[0])(theta)
    torch.testing.assert_close(one_by_one, family.grid(theta, (6, 5)))


def test_a_large_grid_for_one_image_caches_only_the_corner():
    family = stnkit.build("transform", "tps", control_points=[8, 8])
    size = (256, 256)
    family.grid(family.identity()[None].float(), size)
    kept = family._cardinal_basis._cache.get((size, corner(size), torch.float32, torch.device("cpu")))
    assert kept is not None
    assert kept.shape == (67, 128 * 128)
    assert (len(family._cardinal_basis._cache), len(family._lattice_basis._cache)) == (1, 0)


def test_mirrored_product_of_a_basis_of_even_and_odd_functions():
    # 1 and x on a line: T(x) = 2 + 3 x.
    x = stnkit.coordinates.axis(5, dtype=torch.float64)
    keep = torch.tensor([0, 1])
    reflection = stnkit.families.Reflection(keep, torch.tensor([1.0, -1.0]))
    product = mirrored_product(
        torch.tensor([[[2.0, 3.0]]], dtype=torch.float64),
        torch.stack([torch.ones(3), x[:3]]).double(),
        [reflection],
        (5,),
    )
    torch.testing.assert_close(product[0, 0], 2 + 3 * x)
