"""LatticeBasis: the product of coefficients with basis functions on a regular lattice.

A basis that depends on the size of the output alone is cached, bounded in bytes. A large symmetric one is read on one
corner of the lattice, and one that exceeds the cache is evaluated in chunks, again in the backward pass. The basis of
a module with parameters or buffers, which may change or be learned, is evaluated for every product.
"""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from stnkit import coordinates
from stnkit.families.caching import TensorCache
from stnkit.families.mirrored import Reflection, corner, mirrored_product
from stnkit.families.ordered_product import ordered_product
from stnkit.families.scattered_basis import Functions, module_of, scattered_product
from stnkit.families.thresholds import (
    BASIS_CACHE_BYTES,
    BASIS_CHUNK_BYTES,
    MIRRORED_BYTES,
    MIRRORED_FUNCTIONS,
    WIDE_FUNCTIONS,
)
from stnkit.families.tracing import exported_constant, exports_constants, has_weights, plain_tensors
from stnkit.portable import is_scripted

# Coefficients are bounded by this, so that a product with a basis function is finite in float32.
LARGE = 1e18


class LatticeBasis:
    """Σ_k c_k b_k(p) at the pixel centers of an output: (B·ndim, K) @ (K, H·W), one product of two matrices.

    A copy or a pickle of it is empty. One object serves one set of basis functions.

    Example:
        >>> import torch, stnkit
        >>> basis = stnkit.families.LatticeBasis()
        >>> basis.product(lambda points: points, torch.eye(2)[None], (2, 4), torch.float32)[0, 0].tolist()
        [[-0.75, -0.25, 0.25, 0.75], [-0.75, -0.25, 0.25, 0.75]]
    """

    def __init__(self) -> None:
        # Not in a buffer: `.half()` would cast it, and it would land in state dicts.
        self._cache: TensorCache[Tensor] = TensorCache(BASIS_CACHE_BYTES)

    def is_cacheable(
        self, coefficients: Float[Tensor, "B ndim K"], size: tuple[int, ...], reflections: tuple[Reflection, ...] = ()
    ) -> bool:
        """True if `product` reads a cached basis of functions that depend on the points alone.

        While compiling, only one that was cached before or can be exported.

        Args:
            coefficients: as `product` takes them.
            size: of the output, (H, W) or (D, H, W).
            reflections: as `product` takes them.
        """
        if torch.compiler.is_compiling() and not exports_constants(size):
            return self._cache.get((size, size, coefficients.dtype, coefficients.device)) is not None
        return self._cached_region(coefficients, size, reflections) is not None

    def product(
        self,
        functions: Functions,
        coefficients: Float[Tensor, "B ndim K"],
        size: tuple[int, ...],
        dtype: torch.dtype,
        reflections: tuple[Reflection, ...] = (),
    ) -> Float[Tensor, "B ndim *size"]:
        """Σ_k c_k b_k(p) at the pixel centers of an output of `size`, finite for every c.

        Args:
            functions: b, of the points alone; a method of a module may depend on its parameters and buffers too.
            coefficients: c, in the dtype in which the sums are formed, as `sum_dtype` gives it.
            size: of the output, (H, W) or (D, H, W).
            dtype: of the result.
            reflections: the symmetries of the functions, one for each coordinate, x first; empty for none.
        """
        # Spline weights may legitimately exceed OUTSIDE, so coefficients get a looser bound.
        coefficients = coordinates.finite(coefficients, LARGE)
        batch, ndim, _ = coefficients.shape
        module = module_of(functions)
        if module is not None and has_weights(module):
            return _weighted_product(functions, coefficients, size, dtype)
        region = self._cached_region(coefficients, size, reflections)
        if region is None:
            source = self._chunked_product(functions, coefficients, size, dtype)
        elif region == size:
            source = planar_product(coefficients, self._basis(functions, size, size, coefficients))
        else:
            basis = self._basis(functions, size, region, coefficients)
            source = mirrored_product(coefficients, basis, reflections, size)
        if source.dtype != dtype:
            source = source.to(dtype)
        return source.view(batch, ndim, *size)

    def _cached_region(
        self, coefficients: Tensor, size: tuple[int, ...], reflections: tuple[Reflection, ...]
    ) -> tuple[int, ...] | None:
        """The cached part of the lattice: all of it, its first corner, or None where both are too large."""
        batch, _, n_functions = coefficients.shape
        n_bytes = n_functions * coefficients.element_size()
        whole, quarter = n_bytes * math.prod(size), n_bytes * math.prod(corner(size))
        fits = self._cache.admits(whole)
        if not reflections or torch.compiler.is_compiling() or not self._cache.admits(quarter):
            return size if fits else None
        pays = n_functions >= MIRRORED_FUNCTIONS * batch and whole >= MIRRORED_BYTES
        return corner(size) if pays or not fits else size

    def _basis(
        self, functions: Functions, size: tuple[int, ...], region: tuple[int, ...], like: Tensor
    ) -> Float[Tensor, "K N"]:
        """basisᵀ on the first `region` of the lattice of `size`, in the dtype of the coefficients `like`."""
        key = (size, region, like.dtype, like.device)
        cached = self._cache.get(key)
        if cached is not None:
            return cached
        if exports_constants(size):
            return exported_constant(
                lambda: functions(_lattice(size, region, like.device)).to(like.dtype).T.contiguous()
            )
        if torch.compiler.is_compiling():
            # A tensor made while tracing is fake: cached, it would break every later call.
            return functions(_lattice(size, region, like.device)).to(like.dtype).T
        with plain_tensors():
            chunks = _chunks(_lattice(size, region, like.device), like.shape[-1])
            basis = torch.empty(like.shape[-1], math.prod(region), dtype=like.dtype, device=like.device)
            for piece, chunk in zip(torch.split(basis, [len(c) for c in chunks], dim=1), chunks, strict=True):
                piece.copy_(functions(chunk).T)
        self._cache.put(key, basis)
        return basis

    def _chunked_product(
        self, functions: Functions, coefficients: Tensor, size: tuple[int, ...], dtype: torch.dtype
    ) -> Tensor:
        points = _lattice(size, size, coefficients.device)
        if torch.compiler.is_compiling() or is_scripted():
            return planar_product(coefficients, functions(points).to(coefficients.dtype).T)
        chunks = _chunks(points, coefficients.shape[-1])
        source: Tensor = _ChunkedProduct.apply(coefficients, chunks, functions, dtype)  # type: ignore[no-untyped-call]
        return source


def sum_dtype(n_functions: int, dtype: torch.dtype, wide: bool | None = None) -> torch.dtype:
    """The dtype in which sums over basis functions are formed.

    Args:
        n_functions: K.
        dtype: of the result.
        wide: use float64, because terms are much larger than their sums; None for more than 100 functions.
    """
    if wide is None:
        wide = n_functions > WIDE_FUNCTIONS
    return torch.float64 if wide or coordinates.products_are_narrowed() else dtype


def planar_product(coefficients: Float[Tensor, "B ndim K"], basis: Float[Tensor, "K N"]) -> Float[Tensor, "B ndim N"]:
    """The product coefficients · basis, as one product of two matrices.

    Args:
        coefficients: one row for each element of the batch and coordinate.
        basis: one row for each function.
    """
    # Batched, with ndim rows each, it is 3 to 20 times slower on a CPU.
    batch, ndim, n_functions = coefficients.shape
    return ordered_product(coefficients.reshape(batch * ndim, n_functions), basis).view(batch, ndim, basis.shape[-1])


def _weighted_product(
    functions: Functions, coefficients: Tensor, size: tuple[int, ...], dtype: torch.dtype
) -> Float[Tensor, "B ndim *size"]:
    """The product with functions that are read anew: weights change in ways that leave no trace, as by `.data`."""
    points = _lattice(size, size, coefficients.device)
    source = scattered_product(functions, coefficients, points[None]).transpose(1, 2)
    # Weights of a training that diverged are NaN, and a grid must be finite.
    return coordinates.finite(source).to(dtype).view(*source.shape[:2], *size)


def _lattice(size: tuple[int, ...], region: tuple[int, ...], device: torch.device) -> Float[Tensor, "N ndim"]:
    points = coordinates.lattice(size, dtype=torch.float64, device=device)
    return points[tuple(slice(n) for n in region)].reshape(-1, len(size))


def _chunks(points: Tensor, n_functions: int) -> tuple[Tensor, ...]:
    return torch.split(points, max(1, BASIS_CHUNK_BYTES // (8 * n_functions)))


class _ChunkedProduct(torch.autograd.Function):
    """coefficients @ basisᵀ with a basis that is evaluated in chunks, and again in the backward pass.

    Both it and its adjoint are linear, so each is the other's derivative, to any order.
    """

    @staticmethod
    def forward(
        ctx: Any, coefficients: Tensor, chunks: tuple[Tensor, ...], functions: Functions, dtype: torch.dtype
    ) -> Tensor:
        ctx.arguments, ctx.dtype = (chunks, functions), coefficients.dtype
        # Written into one buffer: small results between large temporaries would fragment the memory.
        batch, ndim, _ = coefficients.shape
        lengths = [len(c) for c in chunks]
        source = coefficients.new_empty(batch, ndim, sum(lengths), dtype=dtype)
        for piece, points in zip(torch.split(source, lengths, dim=-1), chunks, strict=True):
            piece.copy_(planar_product(coefficients, functions(points).to(coefficients.dtype).T))
        return source

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        return _ChunkedAdjoint.apply(gradient, *ctx.arguments, ctx.dtype), None, None, None  # type: ignore[no-untyped-call]


class _ChunkedAdjoint(torch.autograd.Function):
    """gradient @ basis, in the same chunks."""

    @staticmethod
    def forward(
        ctx: Any, gradient: Tensor, chunks: tuple[Tensor, ...], functions: Functions, dtype: torch.dtype
    ) -> Tensor:
        ctx.arguments, ctx.dtype = (chunks, functions), gradient.dtype
        pieces = torch.split(gradient, [len(c) for c in chunks], dim=-1)
        batch, ndim, _ = gradient.shape
        total = gradient.new_zeros(batch, ndim, functions(chunks[0][:1]).shape[1], dtype=dtype)
        for piece, points in zip(pieces, chunks, strict=True):
            total += planar_product(piece.to(dtype), functions(points).to(dtype))
        return total

    @staticmethod
    def backward(ctx: Any, tangent: Tensor) -> tuple[Tensor, None, None, None]:
        return _ChunkedProduct.apply(tangent, *ctx.arguments, ctx.dtype), None, None, None  # type: ignore[no-untyped-call]
