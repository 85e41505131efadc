"""The product with a basis: the gradient of a plain product, with the same bits for any number of threads."""

import pytest
import torch

from stnkit.families.ordered_product import ordered_product, unsplit_bmm

COUNTS = [1, 255, 256, 300, 511, 512, 784, 1600, 50_176]


def rows_and_basis(n, dtype=torch.float64, requires_grad=True):
    generator = torch.Generator().manual_seed(n)
    rows = torch.randn(6, 19, generator=generator, dtype=dtype).requires_grad_(requires_grad)
    return rows, torch.randn(19, n, generator=generator, dtype=dtype)


@pytest.mark.parametrize("n", COUNTS)
def test_value_and_gradient_are_those_of_a_plain_product(n):
    rows, basis = rows_and_basis(n)
    upstream = torch.randn(6, n, dtype=torch.float64)
    product = ordered_product(rows, basis)
    assert torch.equal(product, rows @ basis)
    (gradient,) = torch.autograd.grad(product, rows, upstream)
    torch.testing.assert_close(gradient, upstream @ basis.T, rtol=1e-12, atol=1e-11)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n", COUNTS)
def test_the_bits_of_a_gradient_are_those_of_one_thread(n, dtype):
    rows, basis = rows_and_basis(n, dtype)
    upstream = torch.randn(6, n, dtype=dtype)
    before, found = torch.get_num_threads(), []
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            found.append(torch.autograd.grad(ordered_product(rows, basis), rows, upstream)[0])
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(found[0], again) for again in found[1:])


@pytest.mark.parametrize(("parts", "rows"), [(1, 6), (1, 7), (1, 1), (3, 5), (0, 4)])
def test_an_unsplit_product_is_that_of_any_number_of_threads(parts, rows):
    first, second = torch.randn(parts, rows, 9), torch.randn(parts, 9, 19)
    before, found = torch.get_num_threads(), []
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            found.append(unsplit_bmm(first, second))
    finally:
        torch.set_num_threads(before)
    torch.testing.assert_close(found[0], torch.einsum("pij,pjk->pik", first, second))
    assert all(torch.equal(found[0], again) for again in found[1:])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
def test_it_has_derivatives_of_every_kind():
    rows, basis = rows_and_basis(300)
    assert torch.autograd.gradcheck(ordered_product, (rows, basis), check_forward_ad=True, check_batched_grad=True)
    assert torch.autograd.gradgradcheck(ordered_product, (rows, basis))
    by_rows = torch.func.vmap(lambda row: ordered_product(row[None], basis)[0])(rows.detach())
    torch.testing.assert_close(by_rows, rows.detach() @ basis)


@pytest.mark.parametrize("n", COUNTS)
def test_many_gradients_at_a_time_are_those_of_each(n):
    rows, basis = rows_and_basis(n)
    product, upstream = ordered_product(rows, basis), torch.randn(3, 6, n, dtype=torch.float64)
    (together,) = torch.autograd.grad(product, rows, upstream, is_grads_batched=True)
    torch.testing.assert_close(together, upstream @ basis.T, rtol=1e-12, atol=1e-11)
