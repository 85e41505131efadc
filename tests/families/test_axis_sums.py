"""The separable sum is the product with every pixel center, by itself and with a gradient of its own."""

import pytest
import torch
from torch._subclasses import FakeTensorMode
from torch.autograd import forward_ad, gradcheck, gradgradcheck

import stnkit
from stnkit.families import axis_sums
from stnkit.families.axis_sums import axis_sum, bounded_rows

SIZES = [(3, 5), (1, 1), (4, 1), (2, 3, 4)]


@pytest.fixture(params=["plain", "own gradient"])
def either_way(request, monkeypatch):
    """Few coordinates take the plain sum, many a Function of their own."""
    monkeypatch.setattr(axis_sums, "SEPARABLE_GRADIENT_COORDINATES", 0 if request.param == "own gradient" else 2**40)


def random_rows(size, n_rows=2, batch=3):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, n_rows, len(size) + 1, generator=generator, dtype=torch.float64)


def summed(rows, size):
    return axis_sum(bounded_rows(rows, 1e4, beyond=1e4), size)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("n_rows", [1, 3])
def test_it_is_the_product_with_every_pixel_center(either_way, size, n_rows):
    rows = random_rows(size, n_rows).requires_grad_()
    points = stnkit.coordinates.lattice(size, dtype=torch.float64)
    expected = torch.einsum("brk,...k->br...", rows[..., :-1], points) + rows[(..., -1, *[None] * len(size))]
    torch.testing.assert_close(summed(rows, size), expected, atol=1e-14, rtol=0)
    weight = torch.rand(expected.shape, dtype=torch.float64)
    (gradient,) = torch.autograd.grad(summed(rows, size), rows, weight)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, rows, weight)[0], atol=1e-13, rtol=0)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_planar_gradient_changes_neither_sum_nor_gradient(either_way, size):
    rows = random_rows(size).requires_grad_()
    sums = [axis_sum(rows, size, planar_gradient=planar) for planar in (False, True)]
    assert torch.equal(*sums)
    weight = torch.rand(sums[0].shape, dtype=torch.float64)
    gradients = [torch.autograd.grad(total, rows, weight)[0] for total in sums]
    torch.testing.assert_close(*gradients, atol=1e-13, rtol=0)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_gradients_agree_with_finite_differences(either_way, size):
    rows = random_rows(size).requires_grad_()
    assert gradcheck(lambda rows: summed(rows, size), rows)
    assert gradgradcheck(lambda rows: summed(rows, size), rows)


# torch warns of itself when forward mode is first used.
@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_forward_mode_and_vmap_go_through_it(either_way, size):
    rows = random_rows(size).requires_grad_()
    with forward_ad.dual_level():
        dual = summed(forward_ad.make_dual(rows, torch.ones_like(rows)), size)
        tangent = forward_ad.unpack_dual(dual).tangent
    torch.testing.assert_close(tangent, summed(torch.ones_like(rows), size), atol=1e-14, rtol=0)
    mapped = torch.func.vmap(lambda row: summed(row[None], size)[0])(rows)
    torch.testing.assert_close(mapped, summed(rows, size), atol=1e-14, rtol=0)


def test_a_row_beyond_the_bound_is_constant_and_has_no_gradient(either_way):
    rows = random_rows((4, 5)).clone()
    rows[1, 0, 2] = torch.nan
    rows[2, 1, 0] = 1e9
    rows.requires_grad_()
    total = summed(rows, (4, 5))
    (gradient,) = torch.autograd.grad(total.sum(), rows)
    assert (total[1, 0] == 1e4).all()
    assert (total[2, 1] == 1e4).all()
    assert not gradient[1, 0].any()
    assert not gradient[2, 1].any()
    assert gradient[0].abs().min() < gradient[0].abs().max() < torch.inf
    torch.testing.assert_close(total[0], summed(rows[:1], (4, 5))[0], atol=1e-14, rtol=0)


def test_what_is_kept_for_a_size_serves_training_after_inference():
    rows = random_rows((5, 7)).requires_grad_()
    with torch.inference_mode():
        expected = summed(rows, (5, 7)).clone()
    total = summed(rows, (5, 7))
    assert torch.equal(total, expected)
    (gradient,) = torch.autograd.grad(total.sum(), rows)
    assert gradient.abs().sum() > 0


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_an_empty_batch_has_an_empty_grid(either_way, size):
    rows = random_rows(size, batch=0).requires_grad_()
    total = summed(rows, size)
    assert total.shape == (0, 2, *size)
    assert torch.autograd.grad(total.sum(), rows)[0].shape == rows.shape


# torch warns of itself when forward mode is first used.
@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
def test_fake_and_transformed_tensors_are_not_cached(either_way):
    size, rows = (3, 11), random_rows((3, 11))
    with FakeTensorMode(allow_non_fake_inputs=True):
        assert summed(rows, size).shape == (3, 2, *size)
    size = (3, 12)
    curvature = torch.func.hessian(lambda rows: summed(rows, size).square().sum())(rows)
    points = stnkit.coordinates.lattice(size, dtype=torch.float64).flatten(end_dim=-2)
    columns = torch.cat([points, torch.ones_like(points[:, :1])], dim=1)
    torch.testing.assert_close(curvature[0, 0, :, 0, 0], 2 * columns.T @ columns)
    for size in [(3, 11), (3, 12)]:
        total = summed(rows.clone().requires_grad_(), size)
        assert type(total) is torch.Tensor
        total.sum().backward()
        with FakeTensorMode() as mode:
            fake = mode.from_tensor(rows)
            assert summed(fake, size).shape == total.shape
