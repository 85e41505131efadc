"""The product of coefficients with basis functions; its gradient has the same bits for any number of threads."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from stnkit.families.tracing import is_plain_eager

# Points whose terms of a gradient are summed by one product. MKL on an Intel Xeon splits sums over 784 points among
# threads, and those over 256 not; many such sums at a time take two thirds of the time of one over 50,000 points on two
# threads. (Intel Xeon, 2 cores, torch 2.13.0, 2026-11-30)
ORDERED_POINTS = 256


def ordered_product(rows: Float[Tensor, "R K"], basis: Float[Tensor, "K N"]) -> Float[Tensor, "R N"]:
    """The product rows · basis.

    The gradient to the rows is a sum over all points. A library of linear algebra may divide it among its threads, so
    that the last bits depend on their number; here it is divided by the points alone.

    Args:
        rows: of coefficients.
        basis: values of the functions at the points.
    """
    # A tracer derives the gradient by itself, and transforms of torch.func need rules of their own.
    if not rows.requires_grad or basis.requires_grad or rows.device.type != "cpu" or not is_plain_eager():
        return rows @ basis
    product: Tensor = _OrderedProduct.apply(rows, basis)  # type: ignore[no-untyped-call]
    return product


def unsplit_bmm(first: Float[Tensor, "parts M K"], second: Float[Tensor, "parts K N"]) -> Float[Tensor, "parts M N"]:
    """The products first · second, each by one thread, so that the bits do not depend on the number of threads.

    MKL divides a product that is alone among its threads, and on an AMD EPYC the edges of the pieces are computed in
    another order: of 8 terms already (torch 2.13.0, 2026-12-01). Those of a batch it does not divide. So one that is
    alone is made in two halves of its rows.

    Args:
        first: the left matrices.
        second: the right matrices.
    """
    if first.shape[0] != 1 or first.device.type != "cpu" or not is_plain_eager():
        return torch.bmm(first, second)
    _, n_rows, n_terms = first.shape
    if n_rows % 2:  # a row more, by operations that have a rule for `is_grads_batched`
        return unsplit_bmm(torch.cat([first, first.narrow(1, 0, 1)], dim=1), second).narrow(1, 0, n_rows)
    halves = first.reshape(2, n_rows // 2, n_terms)
    return torch.bmm(halves, second.expand(2, -1, -1)).view(1, n_rows, second.shape[2])


class _OrderedProduct(torch.autograd.Function):
    """rows @ basis, whose gradient is made of differentiable operations."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, basis: Tensor) -> Tensor:
        ctx.save_for_backward(basis)
        return rows @ basis

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (basis,) = ctx.saved_tensors
        return _adjoint(gradient, basis), None


def _adjoint(gradient: Float[Tensor, "R N"], basis: Float[Tensor, "K N"]) -> Float[Tensor, "R K"]:
    """The product gradient · basisᵀ, by sums over `ORDERED_POINTS` points each."""
    n_sums, rest = divmod(gradient.shape[1], ORDERED_POINTS)
    whole = n_sums * ORDERED_POINTS
    sums = unsplit_bmm(_in_parts(gradient, n_sums), _in_parts(basis, n_sums).mT).sum(dim=0)
    return sums + unsplit_bmm(gradient.narrow(1, whole, rest)[None], basis.narrow(1, whole, rest)[None].mT)[0]


def _in_parts(rows: Float[Tensor, "R N"], n_parts: int) -> Float[Tensor, "parts R points"]:
    # Not an index: a gradient of `is_grads_batched` cannot be indexed by a slice of all.
    whole = rows.narrow(1, 0, n_parts * ORDERED_POINTS)
    return whole.reshape(rows.shape[0], n_parts, ORDERED_POINTS).transpose(0, 1)
