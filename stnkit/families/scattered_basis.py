"""The product of coefficients with basis functions at any points, in chunks.

The basis of a million points is never whole: it is evaluated in chunks that stay in the processor's cache, and again in
the backward pass. Functions of local support are read where they are not 0.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.func import functional_call

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

    Of a method of a module it is differentiable in the module's parameters and buffers too.

    Args:
        functions: b.
        coefficients: c, in the dtype in which the sums are formed.
        points: p, for each element of the batch or the same for all.
    """
    n_bytes = 8 * points.shape[0] * points.shape[1] * coefficients.shape[-1]
    # A tracer derives the gradient by itself, and transforms of torch.func need rules of their own.
    if n_bytes <= BASIS_CHUNK_BYTES or torch.compiler.is_compiling() or is_transformed() or is_scripted():
        return _product(functions, coefficients, points)
    again = _Again(functions)
    source: Tensor = _ScatteredProduct.apply(again, coefficients, points, *again.weights())  # type: ignore[no-untyped-call]
    return source


def module_of(functions: Functions) -> nn.Module | None:
    """The module whose method the functions are, or None."""
    owner = getattr(functions, "__self__", None)
    return owner if isinstance(owner, nn.Module) else None


class _Again(nn.Module):
    """Functions that are evaluated again, by the weights that their module had the first time.

    `torch.func.functional_call` gives a module weights for one call, which are no longer there in the backward pass.
    """

    def __init__(self, functions: Functions) -> None:
        super().__init__()
        self.functions = functions
        self.module = module_of(functions)
        named = {n: t for n, t in (*self.named_parameters(), *self.named_buffers()) if t.is_floating_point()}
        self._weights = {name: tensor for name, tensor in named.items() if tensor.requires_grad}
        # Not saved for the backward pass: the next call may update a buffer, such as that of a spectral norm.
        self._constants = {name: tensor for name, tensor in named.items() if not tensor.requires_grad}

    def weights(self) -> list[Tensor]:
        return list(self._weights.values())

    def by(self, weights: list[Tensor]) -> Functions:
        """The functions of these weights."""
        own = self._constants | dict(zip(self._weights, weights, strict=True))
        if not own:
            return self.functions
        return lambda points: functional_call(self, own, (points,))

    def forward(self, points: Float[Tensor, "N ndim"]) -> Float[Tensor, "N K"]:
        return self.functions(points)


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
    def forward(ctx: Any, again: _Again, coefficients: Tensor, points: Tensor, *weights: Tensor) -> Tensor:
        ctx.save_for_backward(coefficients, points, *weights)
        ctx.again = again
        batch, ndim, _ = coefficients.shape
        # Planar, as the dense product, and one buffer: small results between large temporaries fragment the memory.
        source = coefficients.new_empty(batch, ndim, points.shape[1]).transpose(1, 2)
        for rows, own, some in _pieces(coefficients, points):
            source[rows, some] = _product(again.functions, coefficients[rows], points[own, some])
        return source

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        coefficients, points, *weights = ctx.saved_tensors
        needed = ctx.needs_input_grad[1:]
        # For a second derivative the recomputed graph is a part of the first one's.
        recorded = torch.is_grad_enabled()
        functions = ctx.again.by(weights)
        # Of the gradient, since under vmap a total must be batched where the gradient is, to be added to in place.
        totals = [
            gradient.new_zeros(tensor.shape, dtype=tensor.dtype) if wanted else None
            for tensor, wanted in zip((coefficients, points), needed, strict=False)
        ]
        of_weights: list[Tensor | None] = [None] * len(weights)
        with torch.enable_grad(), coordinates.full_precision(gradient):
            for rows, own, some in _pieces(coefficients, points):
                parts = [coefficients[rows], points[own, some], *weights]
                source = _product(functions, *parts[:2])
                wanted_parts = [part for part, wanted in zip(parts, needed, strict=True) if wanted]
                pulled = iter(_pulled(source, wanted_parts, _part(gradient, rows, some), recorded))
                found = [next(pulled) if wanted else None for wanted in needed]
                for place, total, part in zip(((rows,), (own, some)), totals, found, strict=False):
                    if total is not None and part is not None:
                        _part(total, *place).add_(part)
                of_weights = list(map(_sum, of_weights, found[2:]))
        return None, *totals, *of_weights


def _pulled(source: Tensor, inputs: list[Tensor], gradient: Tensor, recorded: bool) -> tuple[Tensor | None, ...]:
    """The gradients, None for a weight that no function reads; if recorded, they have gradients themselves."""
    # Weights may be all that is wanted, and those of the coefficients are none of the functions'.
    if not source.requires_grad:
        return (None,) * len(inputs)
    return torch.autograd.grad(source, inputs, gradient, create_graph=recorded, allow_unused=True)


def _sum(total: Tensor | None, more: Tensor | None) -> Tensor | None:
    return more if total is None else total if more is None else total + more
