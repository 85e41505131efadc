"""M·(x, y, …, 1) at every pixel center, as a sum of one term for each axis, and its gradient in one pass."""

import functools
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from stnkit import coordinates


def separable_sum(
    rows: Float[Tensor, "B rows columns"], size: tuple[int, ...], bound: float, beyond: float
) -> Float[Tensor, "B rows *size"]:
    """The product of rows and (x, y, …, 1) at every pixel center of `size`.

    Args:
        rows: of a homogeneous matrix, with one column for each coordinate and one for the constant.
        size: of the output, (H, W) or (D, H, W).
        bound: what the result stays within.
        beyond: what a row is everywhere that does not, because it is NaN, say.
    """
    # What traces a program finds the gradient of the plain sum by itself.
    if torch.compiler.is_compiling() or not (torch.is_grad_enabled() and rows.requires_grad):
        return _sum(torch.where(_within(rows, bound), rows, _constant(rows, beyond)), size)
    total: Tensor = _SeparableSum.apply(rows, size, bound, beyond)[0]  # type: ignore[no-untyped-call]
    return total


def _within(rows: Tensor, bound: float) -> Tensor:
    """Which rows stay within the bound: a test of a few numbers, where one of the grid would cost more than it."""
    return (rows.abs() <= bound / rows.shape[-1]).all(dim=-1, keepdim=True)


def _constant(rows: Tensor, value: float) -> Tensor:
    return rows.new_tensor([0.0] * (rows.shape[-1] - 1) + [value])


def _ones_and_centers(n: int, like: Tensor) -> Float[Tensor, "2 n"]:
    """1 and the pixel centers of an axis."""
    if torch.compiler.is_compiling():
        return _make_ones_and_centers(n, like.dtype, like.device)
    return _kept_ones_and_centers(n, like.dtype, like.device)


def _make_ones_and_centers(n: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    centers = coordinates.axis(n, dtype=dtype, device=device)
    return torch.stack([torch.ones_like(centers), centers])


@functools.lru_cache(maxsize=128)
def _kept_ones_and_centers(n: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    # Made once: on small images these few calls cost as much as the sum. A tensor from inference mode would break
    # a later backward pass.
    with torch.inference_mode(False), torch.no_grad():
        return _make_ones_and_centers(n, dtype, device)


def _sum(rows: Tensor, size: tuple[int, ...]) -> Tensor:
    ndim = len(size)
    total = rows[(..., -1, *[None] * ndim)]
    for k, n in enumerate(size):
        centers = _ones_and_centers(n, rows)[1].view(-1, *[1] * (ndim - 1 - k))
        # Outermost first: the terms stay as small as one axis until the last is added.
        total = total + rows[(..., ndim - 1 - k, *[None] * ndim)] * centers
    return total


class _SeparableSum(torch.autograd.Function):
    """The plain sum, whose gradient is read once and not once for each axis.

    A sampler hands its gradient over with the coordinates last. One product with two rows, 1 and y, takes its sums
    over the outermost axis, plain and weighted; what is left is as small as the other axes.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(rows: Tensor, size: tuple[int, ...], bound: float, beyond: float) -> tuple[Tensor, Tensor]:
        within = _within(rows, bound)
        return _sum(torch.where(within, rows, _constant(rows, beyond)), size), within

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        ctx.size = inputs[1]
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(output[1])
        ctx.save_for_forward(output[1])

    @staticmethod
    def jvp(ctx: Any, rows: Tensor, *_: Any) -> tuple[Tensor, None]:
        (within,) = ctx.saved_tensors
        return _sum(torch.where(within, rows, 0.0), ctx.size), None

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, _: Any) -> tuple[Tensor, None, None, None]:
        batch, n_rows, *size = gradient.shape
        rest = gradient.movedim(1, -1)
        columns = []
        with coordinates.full_precision(gradient):
            for n in size:
                sums = _ones_and_centers(n, gradient) @ rest.reshape(batch, n, -1)
                rest = sums[:, 0]
                columns.append(sums[:, 1].view(batch, -1, n_rows).sum(dim=1))
        (within,) = ctx.saved_tensors
        return torch.where(within, torch.stack([*reversed(columns), rest], dim=-1), 0.0), None, None, None
