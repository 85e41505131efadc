"""M·(x, y, …, 1) at every pixel center, as a sum of one term for each axis, and its gradient in one pass."""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

from stnkit import coordinates
from stnkit.families.caching import cached

# For fewer coordinates than this, calling a Function of Python's costs more than the passes that it saves.
FEW = 2**19


def bounded(rows: Float[Tensor, "B rows columns"], bound: float, beyond: float) -> Float[Tensor, "B rows columns"]:
    """Rows whose product with every (x, y, …, 1) stays within `bound`; others become (0, …, 0, beyond).

    Args:
        rows: of a homogeneous matrix, with one column for each coordinate and one for the constant.
        bound: what the product stays within.
        beyond: what it is everywhere for a row that does not, because it is NaN, say.
    """
    limit = bound / rows.shape[-1]
    if known_within(rows, limit):
        return rows
    # A test of a few numbers, where one of the grid would cost more than it.
    within = (rows.abs() <= limit).all(dim=-1, keepdim=True)
    return torch.where(within, rows, rows.new_tensor([0.0] * (rows.shape[-1] - 1) + [beyond]))


def separable_sum(
    rows: Float[Tensor, "B rows columns"], size: tuple[int, ...], planar_gradient: bool = False
) -> Float[Tensor, "B rows *size"]:
    """The product of rows and (x, y, …, 1) at every pixel center of `size`.

    Args:
        rows: of a homogeneous matrix, finite, with one column for each coordinate and one for the constant.
        size: of the output, (H, W) or (D, H, W).
        planar_gradient: whether the gradient comes back with each row by itself, as a quotient's does, and not from a
            sampler with the coordinates of a pixel together: it is then summed as fast as can be in the plain way.
    """
    # What traces a program finds the gradient of the plain sum by itself.
    if planar_gradient or torch.compiler.is_compiling() or not (torch.is_grad_enabled() and rows.requires_grad):
        return _sum(rows, size)
    if rows.shape[0] * rows.shape[1] * math.prod(size) < FEW:
        return _sum(rows, size)
    total: Tensor = _SeparableSum.apply(rows, size)  # type: ignore[no-untyped-call]
    return total


def may_be_seen(entries: Tensor) -> bool:
    """Whether a look at the values costs next to nothing.

    On an accelerator the program would have to wait for them, and what is traced has none yet, or others later.
    """
    if not entries.is_cpu or torch.compiler.is_compiling():
        return False
    if is_in_torch_dispatch_mode():
        try:
            entries.sum().item()
        except RuntimeError:
            return False  # what counts operations is such a mode too, over real values
    return not torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]


def known_within(entries: Tensor, limit: float) -> bool:
    """Whether all entries are seen to be within ± limit; not where they may not be seen."""
    if not may_be_seen(entries):
        return False
    try:
        seen = entries.detach() if entries.requires_grad else entries
        return torch.linalg.vector_norm(seen, math.inf).item() <= limit
    except RuntimeError:
        return False  # under vmap or with fake tensors, and for no entries at all


@cached
def _centers(size: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> tuple[Tensor, ...]:
    """The pixel centers along each axis, the outermost first, (n, 1, …) such that they spread over the later axes."""
    axes = [coordinates.axis(n, dtype=dtype, device=device) for n in size]
    return tuple(axis.view(-1, *[1] * later) for axis, later in zip(axes, reversed(range(len(size))), strict=True))


@cached
def _centers_and_ones(n: int, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "2 n"]:
    centers = coordinates.axis(n, dtype=dtype, device=device)
    return torch.stack([centers, torch.ones_like(centers)])


def _sum(rows: Tensor, size: tuple[int, ...]) -> Tensor:
    # As few calls as can be: between two passes over large images a small one takes several times what it takes by
    # itself. And no product of matrices, which a setting of its precision would narrow.
    batch, n_rows, n_columns = rows.shape
    *columns, constant = rows.view(batch, n_rows, *[1] * len(size), n_columns).unbind(dim=-1)
    outermost, *inner = _centers(size, rows.dtype, rows.device)
    # Outermost first: what is added stays as small as the axes so far until the last, whole pass.
    total = torch.addcmul(constant, columns.pop(), outermost)
    for column, centers in zip(reversed(columns), inner, strict=True):
        total = total + column * centers
    return total


class _SeparableSum(torch.autograd.Function):
    """The plain sum, whose gradient is read once and not once for each axis.

    A sampler hands its gradient over with the coordinates last. One product with two rows, 1 and y, takes its sums
    over the outermost axis, plain and weighted; what is left is as small as the other axes.
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
