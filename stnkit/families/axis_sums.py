"""M·(x, y, …, 1) at every pixel center, as a sum of one term for each axis, and its gradient in one pass."""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from stnkit import coordinates
from stnkit.families.caching import cached
from stnkit.families.thresholds import SEPARABLE_GRADIENT_COORDINATES
from stnkit.families.tracing import known_within
from stnkit.portable import chosen, is_scripted


def bounded_rows(rows: Float[Tensor, "B rows columns"], bound: float, beyond: float) -> Float[Tensor, "B rows columns"]:
    """Rows whose product with every (x, y, …, 1) stays within `bound`; others become (0, …, 0, beyond).

    Args:
        rows: of a homogeneous matrix, with one column for each coordinate and one for the constant.
        bound: of the absolute value of the product.
        beyond: the product of a row that exceeds the bound, or is NaN.
    """
    limit = bound / rows.shape[-1]
    if known_within(rows, limit):
        return rows
    last = rows.new_tensor([0.0] * (rows.shape[-1] - 1) + [beyond])
    if is_scripted():
        margin = limit - rows.abs().amax(dim=-1, keepdim=True)
        return chosen(margin, rows.clamp(-limit, limit), last)
    # A test of a few numbers, where one of the grid would cost more than it.
    within = (rows.abs() <= limit).all(dim=-1, keepdim=True)
    return torch.where(within, rows, last)


def axis_sum(
    rows: Float[Tensor, "B rows columns"], size: tuple[int, ...], planar_gradient: bool = False
) -> Float[Tensor, "B rows *size"]:
    """The product of rows and (x, y, …, 1) at every pixel center of `size`.

    Args:
        rows: of a homogeneous matrix, finite, with one column for each coordinate and one for the constant.
        size: of the output, (H, W) or (D, H, W).
        planar_gradient: the gradient comes back with each row by itself, as a quotient's does, and not from a sampler
            with the coordinates of a pixel together; the plain sum is then the fastest form.
    """
    # A tracer derives the gradient of the plain sum by itself.
    if planar_gradient or torch.compiler.is_compiling() or not (torch.is_grad_enabled() and rows.requires_grad):
        return _sum(rows, size)
    if rows.shape[0] * rows.shape[1] * math.prod(size) < SEPARABLE_GRADIENT_COORDINATES or is_scripted():
        return _sum(rows, size)
    total: Tensor = _AxisSum.apply(rows, size)  # type: ignore[no-untyped-call]
    return total


@cached
def _centers(size: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> tuple[Tensor, ...]:
    """The pixel centers along each axis, the outermost first, (n, 1, …) such that they spread over the later axes."""
    axes = [coordinates.axis(n, dtype=dtype, device=device) for n in size]
    return tuple(axis.view(-1, *[1] * later) for axis, later in zip(axes, reversed(range(len(size))), strict=True))


@cached
def _centers_and_ones(n: int, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "2 n"]:
    centers = coordinates.axis(n, dtype=dtype, device=device)
    return torch.stack([centers, torch.ones_like(centers)])


@cached
def _homogeneous(size: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Float[Tensor, "columns N"]:
    """(x, y, …, 1) at every pixel center."""
    centers = coordinates.lattice(size, dtype=dtype, device=device).flatten(end_dim=-2).T
    return torch.cat([centers, torch.ones_like(centers[:1])])


def _sum(rows: Tensor, size: tuple[int, ...]) -> Tensor:
    if is_scripted():
        # One product of matrices: ncnn has no tensors of five axes, and broadcasts by rules of its own.
        return (rows @ _homogeneous(size, rows.dtype, rows.device)).view(rows.shape[0], rows.shape[1], *size)
    # Few calls: between two passes over large images a small one costs several times what it costs alone. And no
    # matrix product, which `torch.set_float32_matmul_precision` could narrow.
    batch, n_rows, n_columns = rows.shape
    *columns, constant = rows.view(batch, n_rows, *[1] * len(size), n_columns).unbind(dim=-1)
    outermost, *inner = _centers(size, rows.dtype, rows.device)
    # Outermost first: intermediate sums are as small as the axes so far, until the last pass over all pixels.
    total = torch.addcmul(constant, columns.pop(), outermost)
    for column, centers in zip(reversed(columns), inner, strict=True):
        total = total + column * centers
    return total


class _AxisSum(torch.autograd.Function):
    """The plain sum, with a gradient that reads its input once and not once for each axis.

    A sampler returns its gradient with the coordinates last. One product with two rows, 1 and y, takes its sums over
    the outermost axis, plain and weighted; the remainder is as small as the other axes.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(rows: Tensor, size: tuple[int, ...]) -> Tensor:
        return _sum(rows, size)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.size = inputs[1]

    @staticmethod
    def jvp(ctx: Any, rows: Tensor, *_: Any) -> Tensor:
        return _sum(rows, ctx.size)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        batch, n_rows, *size = gradient.shape
        rest, width = gradient.movedim(1, -1), n_rows * math.prod(size)
        columns = []
        with coordinates.full_precision(gradient):
            for n in size:
                centers_and_ones = _centers_and_ones(n, gradient.dtype, gradient.device)
                width //= n
                # Not `@`, which makes a copy in this case.
                sums = torch.bmm(centers_and_ones.expand(batch, 2, n), rest.reshape(batch, n, width))
                rest = sums[:, 1]
                columns.append(sums[:, 0].view(batch, width // n_rows, n_rows).sum(dim=1))
        return torch.stack([*reversed(columns), rest], dim=-1), None
