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
    sums = torch.bmm(_in_parts(gradient, n_sums), _in_parts(basis, n_sums).mT)
    return sums.sum(dim=0) + gradient.narrow(1, whole, rest) @ basis.narrow(1, whole, rest).T


def _in_parts(rows: Float[Tensor, "R N"], n_parts: int) -> Float[Tensor, "parts R points"]:
    # Not an index: a gradient of `is_grads_batched` cannot be indexed by a slice of all.
    whole = rows.narrow(1, 0, n_parts * ORDERED_POINTS)
    return whole.reshape(rows.shape[0], n_parts, ORDERED_POINTS).transpose(0, 1)
