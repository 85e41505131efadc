"""LinearFamily: T_θ is linear in θ, so that a grid is one product with a basis that never changes."""

import abc
import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from stnkit import coordinates
from stnkit.errors import InputError
from stnkit.families.caching import TensorCache, plain_tensors
from stnkit.families.family import TransformFamily
from stnkit.families.mirrored import Reflection, corner, mirrored_product

# What the kept bases of one family may take: enough for 64 control points on 1024 × 1024 pixels in float32 (281 MB).
KEPT_BYTES = 512 * 2**20
# A basis is evaluated in pieces of about this many bytes of float64, whatever its whole size.
CHUNK_BYTES = 4 * 2**20
# A sum over more basis functions than this is formed in float64 and cast: splines of many control points have large
# weights of both signs, whose sum keeps fewer digits than float32 has (12 × 12 lose 1e-5, 32 × 32 5e-4).
MANY = 100
# What a coefficient is kept below, so that a product with it is finite in float32.
LARGE = 1e18
# A symmetric basis is worth its mirror images where reading the basis is what costs: it does not fit into the caches
# (a few megabytes), and is read for few images (measured: from 8 functions for each image on).
MIRRORED_BYTES = 4 * 2**20
MIRRORED_FUNCTIONS = 8


class LinearFamily(TransformFamily):
    """T_θ(p) = coefficients(θ) · basis(p), with basis functions that do not depend on θ.

    A subclass implements `identity` and `basis`, and `coefficients` where θ is not itself the coefficients.
    θ is planar: all x coefficients, then all y.

    Attributes:
        wide: whether sums over the basis functions are formed in float64, because their terms are much larger than
            the sums. None is for more than 100 functions.
        reflections: how the basis is seen in a mirror across each coordinate, x first, if it is symmetric. A grid
            for few images is then made from the basis on one corner of the lattice. Empty where it is not.
    """

    wide: bool | None = None
    reflections: tuple[Reflection, ...] = ()

    def __init__(self) -> None:
        super().__init__()
        # A plain attribute: a buffer would be cast by `.half()` and land in state dicts.
        self._bases: TensorCache[Tensor] = TensorCache(KEPT_BYTES)
        self._like: dict[tuple[torch.dtype, torch.device, bool], Tensor] = {}

    @abc.abstractmethod
    def basis(self, points: Float[Tensor, "N ndim"]) -> Float[Tensor, "N K"]:
        """The K basis functions at N points: in pure torch, differentiable at every point.

        Called with float64 points.

        Args:
            points: normalized target points.
        """

    def coefficients(self, theta: Float[Tensor, "B P"]) -> Float[Tensor, "B ndim K"]:
        """The coefficients of the basis functions, linear in θ; by default θ itself, `(B, ndim, K)`.

        An override is called with a float64 θ. They may have a constant part if the functions take it back, so that T_θ
        is linear all the same. A map with a constant part, as p + Σ θ_k b_k(p), is for a TransformFamily.

        Args:
            theta: one row of parameters for each element of the batch.
        """
        return theta.view(theta.shape[0], self.ndim, self.n_params // self.ndim)

    def forward(self, theta: Float[Tensor, "B P"], points: Float[Tensor, "#B N ndim"]) -> Float[Tensor, "B N ndim"]:
        """coefficients(θ) · basis(p): the source points of target points."""
        theta = self.check_theta(theta)
        points = self.check_points(points, theta)
        with coordinates.full_precision(theta):
            coefficients = self._coefficients(theta.to(points.dtype))
            batch, n_points = points.shape[:2]
            basis = self.basis(points.reshape(-1, self.ndim).double()).to(coefficients.dtype)
            if batch == 1:
                source = _planar_product(coefficients, basis.T).transpose(1, 2)
            else:
                source = torch.bmm(basis.view(batch, n_points, basis.shape[-1]), coefficients.transpose(1, 2))
            return source.to(points.dtype)

    def grid(self, theta: Float[Tensor, "B P"], size: Sequence[int]) -> Float[Tensor, "B *size ndim"]:
        """The planar product: coefficients (B·ndim, K) @ basisᵀ (K, H·W), permuted without a copy.

        basisᵀ depends on the size alone and is kept. One that is larger than the cache is evaluated in
        chunks, and again in the backward pass.
        """
        theta = self.check_theta(theta)
        size = coordinates.check_size(size, self.ndim)
        with coordinates.full_precision(theta):
            # Coefficients are no coordinates: the weights of a spline may be large where the grid is not.
            coefficients = coordinates.finite(self._coefficients(theta), LARGE)
            part = self._kept_part(coefficients, theta.shape[0], size)
            if part is None:
                source = self._chunked_product(coefficients, size, theta.dtype)
            elif part == size:
                source = _planar_product(coefficients, self._lattice_basis(size, size, coefficients))
            else:
                basis = self._lattice_basis(size, part, coefficients)
                source = mirrored_product(coefficients, basis, self.reflections, size)
            if source.dtype != theta.dtype:
                source = source.to(theta.dtype)
        return source.view(theta.shape[0], self.ndim, *size).movedim(1, -1)

    def keeps(self, theta: Float[Tensor, "B P"], size: Sequence[int]) -> bool:
        """Whether `grid` has the basis in memory: from its first call on, or, in what is compiled, from one before.

        Args:
            theta: one row of parameters for each element of the batch.
            size: of the output, (H, W) or (D, H, W).
        """
        size = tuple(size)
        if torch.compiler.is_compiling():
            like = self._coefficients(self.identity()[None].to(theta))
            return self._bases.get((size, size, like.dtype, like.device)) is not None
        key = (theta.dtype, theta.device, coordinates.products_are_narrowed())
        if key not in self._like:
            # Only their number and dtype count, which this asks for in every call of a grid.
            with torch.no_grad():
                self._like[key] = self._coefficients(self.identity()[None].to(theta)).to("meta")
        return self._kept_part(self._like[key], theta.shape[0], size) is not None

    def _coefficients(self, theta: Tensor) -> Tensor:
        # Solved in float64, then cast: in float32 the identity of 32 × 32 points is off by 1e-2. Where θ itself is the
        # coefficients, nothing is solved.
        solved = type(self).coefficients is not LinearFamily.coefficients
        coefficients = self.coefficients(theta.double() if solved else theta)
        if coefficients.ndim != 3 or coefficients.shape[1] != self.ndim:
            raise InputError(
                f"{type(self).__name__}.coefficients must give shape (B, {self.ndim}, K) for K basis functions, "
                f"but {tuple(coefficients.shape)} was given"
            )
        wide = coefficients.shape[-1] > MANY if self.wide is None else self.wide
        dtype = torch.float64 if wide or coordinates.products_are_narrowed() else theta.dtype
        return coefficients if coefficients.dtype == dtype else coefficients.to(dtype)

    def _kept_part(self, like: Tensor, batch: int, size: tuple[int, ...]) -> tuple[int, ...] | None:
        """The part of the lattice on which the basis is kept: all of it, a corner, or None where both are too large.

        Args:
            like: coefficients, of any batch.
            batch: how many there will be.
            size: of the output.
        """
        n_basis = like.shape[-1]
        n_bytes = n_basis * like.element_size()
        whole, quarter = n_bytes * math.prod(size), n_bytes * math.prod(corner(size))
        fits = self._bases.admits(whole)
        if not self.reflections or torch.compiler.is_compiling() or not self._bases.admits(quarter):
            return size if fits else None
        pays = n_basis >= MIRRORED_FUNCTIONS * batch and whole >= MIRRORED_BYTES
        return corner(size) if pays or not fits else size

    def _lattice_basis(self, size: tuple[int, ...], part: tuple[int, ...], like: Tensor) -> Float[Tensor, "K N"]:
        """basisᵀ on the first `part` of the lattice of `size`, in the dtype of the coefficients `like`."""
        key = (size, part, like.dtype, like.device)
        cached = self._bases.get(key)
        if cached is not None:
            return cached
        if torch.compiler.is_compiling():
            # What is made while tracing is no real tensor; kept, it would break every later call.
            return self.basis(self._lattice(size, part, like.device)).to(like.dtype).T
        with plain_tensors():
            chunks = self._chunks(self._lattice(size, part, like.device), like.shape[-1])
            basis = torch.empty(like.shape[-1], math.prod(part), dtype=like.dtype, device=like.device)
            for piece, chunk in zip(torch.split(basis, [len(c) for c in chunks], dim=1), chunks, strict=True):
                piece.copy_(self.basis(chunk).T)
        self._bases.put(key, basis)
        return basis

    def _chunked_product(self, coefficients: Tensor, size: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        points = self._lattice(size, size, coefficients.device)
        if torch.compiler.is_compiling():
            return _planar_product(coefficients, self._chunk(points, coefficients))
        chunks = self._chunks(points, coefficients.shape[-1])
        source: Tensor = _ChunkedProduct.apply(coefficients, chunks, self._chunk, dtype)  # type: ignore[no-untyped-call]
        return source

    def _chunks(self, points: Tensor, n_basis: int) -> tuple[Tensor, ...]:
        return torch.split(points, max(1, CHUNK_BYTES // (8 * n_basis)))

    def _chunk(self, points: Tensor, like: Tensor) -> Float[Tensor, "K N"]:
        return self.basis(points).to(like.dtype).T

    def _lattice(self, size: tuple[int, ...], part: tuple[int, ...], device: torch.device) -> Float[Tensor, "N ndim"]:
        points = coordinates.lattice(size, dtype=torch.float64, device=device)
        return points[tuple(slice(n) for n in part)].reshape(-1, self.ndim)


def _planar_product(coefficients: Float[Tensor, "B ndim K"], basis: Float[Tensor, "K N"]) -> Float[Tensor, "B ndim N"]:
    # One product of two matrices: batched, with ndim rows each, it is 3 to 20 times slower on a CPU.
    batch, ndim, n_basis = coefficients.shape
    return (coefficients.reshape(batch * ndim, n_basis) @ basis).view(batch, ndim, basis.shape[-1])


class _ChunkedProduct(torch.autograd.Function):
    """coefficients @ basisᵀ with a basis that is evaluated in chunks, and again in the backward pass.

    It is linear, and its gradient the adjoint map: each is the other's derivative, as often as one likes.
    """

    @staticmethod
    def forward(ctx: Any, coefficients: Tensor, chunks: tuple[Tensor, ...], basis: Any, dtype: torch.dtype) -> Tensor:
        ctx.arguments, ctx.dtype = (chunks, basis), coefficients.dtype
        # Written into what is there: kept pieces between large temporary ones would scatter the memory.
        batch, ndim, _ = coefficients.shape
        lengths = [len(c) for c in chunks]
        source = coefficients.new_empty(batch, ndim, sum(lengths), dtype=dtype)
        for part, points in zip(torch.split(source, lengths, dim=-1), chunks, strict=True):
            part.copy_(_planar_product(coefficients, basis(points, coefficients)))
        return source

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        return _ChunkedAdjoint.apply(gradient, *ctx.arguments, ctx.dtype), None, None, None  # type: ignore[no-untyped-call]


class _ChunkedAdjoint(torch.autograd.Function):
    """gradient @ basis, in the same chunks."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, chunks: tuple[Tensor, ...], basis: Any, dtype: torch.dtype) -> Tensor:
        ctx.arguments, ctx.dtype = (chunks, basis), gradient.dtype
        parts = torch.split(gradient, [len(c) for c in chunks], dim=-1)
        batch, ndim, _ = gradient.shape
        total = gradient.new_zeros(batch, ndim, basis(chunks[0][:1], gradient).shape[0], dtype=dtype)
        for part, points in zip(parts, chunks, strict=True):
            total += _planar_product(part.to(dtype), basis(points, total).T)
        return total

    @staticmethod
    def backward(ctx: Any, tangent: Tensor) -> tuple[Tensor, None, None, None]:
        return _ChunkedProduct.apply(tangent, *ctx.arguments, ctx.dtype), None, None, None  # type: ignore[no-untyped-call]
