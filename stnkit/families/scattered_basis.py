"""The product of coefficients with basis functions at any points, in chunks.

The basis of a million points is never whole: it is evaluated in chunks that stay in the processor's cache, and again in
the backward pass. Functions of local support are read where they are not 0.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from stnkit import coordinates
from stnkit.families.thresholds import BASIS_CHUNK_BYTES
from stnkit.families.tracing import is_transformed
from stnkit.portable import is_scripted

# (N, ndim) points in float64 -> (N, K) values of the K basis functions.
Functions = Callable[[Tensor], Tensor]


def scattered_product(
    functions: Functions, coefficients: Float[Tensor, "B ndim K"], points: Float[Tensor, "#B N ndim"]
) -> Float[Tensor, "B N ndim"]:
    """Σ_k c_k b_k(p), differentiable to any order in both, in the dtype of the coefficients.

    Args:
        functions: b.
        coefficients: c, in the dtype in which the sums are formed.
        points: p, for each element of the batch or the same for all.
    """
    n_bytes = 8 * points.shape[0] * points.shape[1] * coefficients.shape[-1]
    # A tracer derives the gradient by itself, and transforms of torch.func need rules of their own.
    if n_bytes <= BASIS_CHUNK_BYTES or torch.compiler.is_compiling() or is_transformed() or is_scripted():
        return _product(functions, coefficients, points)
    source: Tensor = _ScatteredProduct.apply(coefficients, points, functions)  # type: ignore[no-untyped-call]
    return source


def local_product(
    coefficients: Float[Tensor, "B ndim K"], indices: Int64[Tensor, "b N S"], values: Float[Tensor, "b N S"]
) -> Float[Tensor, "B N ndim"]:
    """Σ_s c_{k(s)} v_s: the product with functions of which S are not 0 at each point.

    Args:
        coefficients: c, in the dtype in which the sums are formed.
        indices: k, of the functions that are not 0 at each point, for each element of the batch or the same for all.
        values: v, of these functions.
    """
    batch, ndim, _ = coefficients.shape
    index = indices.flatten(1)[:, None].expand(batch, ndim, -1)
    read = coefficients.gather(2, index).view(batch, ndim, *indices.shape[1:])
    return (read * values.to(coefficients.dtype)[:, None]).sum(dim=-1).transpose(1, 2)


def _product(functions: Functions, coefficients: Tensor, points: Tensor) -> Tensor:
    batch, n_points, ndim = points.shape
    basis = functions(points.reshape(-1, ndim).double()).to(coefficients.dtype)
    n_functions = basis.shape[-1]
    if batch > 1:
        return torch.bmm(basis.view(batch, n_points, n_functions), coefficients.transpose(1, 2))
    # One product of two matrices: batched, with ndim rows each, it is 3 to 20 times slower on a CPU.
    source = coefficients.reshape(-1, n_functions) @ basis.T
    return source.view(coefficients.shape[0], ndim, n_points).transpose(1, 2)


def _pieces(coefficients: Tensor, points: Tensor) -> Iterator[tuple[slice, slice, slice]]:
    """The rows of the coefficients, the rows of the points and the points of each chunk."""
    rows, n_points = points.shape[:2]
    length = max(1, BASIS_CHUNK_BYTES // (8 * coefficients.shape[-1]))
    step = max(1, length // n_points)
    for first in range(0, rows, step):
        own = slice(first, first + step)
        for start in range(0, n_points, length):
            yield own if rows > 1 else slice(None), own, slice(start, start + length)


def _part(tensor: Tensor, *slices: slice) -> Tensor:
    """The view tensor[slices], also of a tensor of `is_grads_batched`, which cannot be indexed by a full slice."""
    for axis, some in enumerate(slices):
        start, stop, _ = some.indices(tensor.shape[axis])
        tensor = tensor.narrow(axis, start, stop - start)
    return tensor


class _ScatteredProduct(torch.autograd.Function):
    """The product with a basis that is evaluated in chunks, and again in the backward pass."""

    @staticmethod
    def forward(ctx: Any, coefficients: Tensor, points: Tensor, functions: Functions) -> Tensor:
        ctx.save_for_backward(coefficients, points)
        ctx.functions = functions
        batch, ndim, _ = coefficients.shape
        # Planar, as the dense product, and one buffer: small results between large temporaries fragment the memory.
        source = coefficients.new_empty(batch, ndim, points.shape[1]).transpose(1, 2)
        for rows, own, some in _pieces(coefficients, points):
            source[rows, some] = _product(functions, coefficients[rows], points[own, some])
        return source

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        saved, needed = ctx.saved_tensors, ctx.needs_input_grad[:2]
        again = torch.is_grad_enabled()  # for a second derivative the recomputed graph is a part of the first one's
        # Of the gradient, since under vmap a total must be batched where the gradient is, to be added to in place.
        totals = [
            gradient.new_zeros(tensor.shape, dtype=tensor.dtype) if wanted else None
            for tensor, wanted in zip(saved, needed, strict=True)
        ]
        with torch.enable_grad(), coordinates.full_precision(gradient):
            for rows, own, some in _pieces(*saved):
                parts = [saved[0][rows], saved[1][own, some]]
                source = _product(ctx.functions, *parts)
                wanted_parts = [part for part, wanted in zip(parts, needed, strict=True) if wanted]
                found = iter(torch.autograd.grad(source, wanted_parts, _part(gradient, rows, some), create_graph=again))
                for place, total in zip(((rows,), (own, some)), totals, strict=True):
                    if total is not None:
                        _part(total, *place).add_(next(found))
        return totals[0], totals[1], None
