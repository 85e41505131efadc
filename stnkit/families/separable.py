"""M·(x, y, …, 1) at every pixel center, as a sum of one term for each axis, and its gradient in one pass."""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from stnkit import coordinates
from stnkit.families.memory import kept

# For fewer coordinates than this, calling a Function of Python's costs more than the passes that it saves.
FEW = 2**18


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


def known_within(entries: Tensor, limit: float) -> bool:
    """Whether all entries are seen to be within ± limit: looked at only where that costs next to nothing.

    On an accelerator the program would have to wait for them, and what is traced or mapped has no values yet.
    """
    if entries.device.type != "cpu" or torch.compiler.is_compiling():
        return False
    if torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
        return False
    try:
        return float(torch.linalg.vector_norm(entries.detach(), math.inf)) <= limit
    except RuntimeError:
        return False  # under vmap or with fake tensors, and for no entries at all


@kept  # on small images these few calls cost as much as the sum
def _axis_terms(size: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Float[Tensor, "columns total"]:
    """What each column of M is multiplied with along each axis, the axes one behind the other; 1 is on the first."""
    axes = [coordinates.axis(n, dtype=dtype, device=device) for n in size]
    constant = torch.cat([torch.ones_like(axes[0]), *(torch.zeros_like(axis) for axis in axes[1:])])
    return torch.cat([torch.block_diag(*axes).flipud(), constant[None]])  # type: ignore[no-untyped-call]


def _sum(rows: Tensor, size: tuple[int, ...]) -> Tensor:
    # The terms of all axes in one product, as long as the axes only. What else is done for it counts: between two
    # passes over large images a small call takes several times what it takes by itself.
    batch, n_rows, n_columns = rows.shape
    # In float64, which no setting of the precision of products narrows to TF32 or bfloat16.
    terms_of_columns = _axis_terms(size, torch.float64, rows.device)
    products = torch.mm(rows.double().reshape(-1, n_columns), terms_of_columns).to(rows.dtype)
    total, *terms = torch.split(products.view(batch, n_rows, sum(size)), list(size), dim=-1)
    ones = (1,) * (len(size) - 1)
    total = total.view(batch, n_rows, size[0], *ones)
    for k, term in enumerate(terms, start=1):
        # Outermost first: what is added stays as small as the axes so far until the last, whole pass.
        total = total + term.view(batch, n_rows, *ones[:k], size[k], *ones[k:])
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
                centers_and_ones = _axis_terms((n,), gradient.dtype, gradient.device)
                width //= n
                # Not `@`, which makes a copy in this case.
                sums = torch.bmm(centers_and_ones.expand(batch, 2, n), rest.reshape(batch, n, width))
                rest = sums[:, 1]
                columns.append(sums[:, 0].view(batch, width // n_rows, n_rows).sum(dim=1))
        return torch.stack([*reversed(columns), rest], dim=-1), None
