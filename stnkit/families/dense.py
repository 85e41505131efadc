"""M·(x, y, …, 1) at every pixel center of a small output, as one product with all of them."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from stnkit import coordinates
from stnkit.families.basis_cache import BasisCache, is_traced, to_be_kept

# Up to so many pixels a product with all of them costs less than the small steps of a separable sum around its one
# pass, whose rows are short then (measured on a CPU: 0.7 to 0.9 of it up to 42 × 42, for any batch; 1.4 of it at
# 64 × 64 in a batch of 256).
MOST = 2**11

_TERMS = BasisCache(32 * 2**20)


def suits(size: tuple[int, ...], device: torch.device) -> bool:
    """Whether a grid of `size` is to be one dense product: small, on a CPU, and not of narrowed precision.

    Args:
        size: of the output, (H, W) or (D, H, W).
        device: where the product would be.
    """
    if device.type != "cpu" or math.prod(size) > MOST or is_traced():
        return False
    if torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
        return False
    setting = getattr(torch.backends.mkldnn, "matmul", None)  # of torch 2.9 and later
    if setting is None:
        return torch.get_float32_matmul_precision() == "highest"
    return setting.fp32_precision in ("none", "default", "ieee")


def dense_product(
    rows: Float[Tensor, "B rows columns"], size: tuple[int, ...], coordinates_last: bool
) -> Float[Tensor, "B rows *size"]:
    """The product of rows and (x, y, …, 1) at every pixel center of `size`.

    Args:
        rows: of a homogeneous matrix, finite.
        size: of the output, (H, W) or (D, H, W).
        coordinates_last: whether all rows of a pixel lie together in memory, and not all pixels of a row. A sampler
            hands its gradient over like that, so that the product with it needs no copy.
    """
    batch, n_rows, n_columns = rows.shape
    if coordinates_last:
        product = torch.mm(rows.flatten(start_dim=1), _terms(size, n_rows, rows.dtype, rows.device))
        return product.view(batch, *size, n_rows).movedim(-1, 1)
    product = torch.mm(rows.reshape(-1, n_columns), _terms(size, 1, rows.dtype, rows.device))
    return product.view(batch, n_rows, *size)


def _terms(size: tuple[int, ...], n_rows: int, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "entries N"]:
    """What each entry of M adds to each number of a grid with the rows last: (x, y, …, 1) in its own, 0 in others."""
    key = (size, (n_rows,), dtype, device)
    kept = _TERMS.get(key)
    if kept is not None:
        return kept
    with to_be_kept():
        points = coordinates.lattice(size, dtype=dtype, device=device).flatten(end_dim=-2)
        columns = torch.cat([points, torch.ones_like(points[:, :1])], dim=1).T
        own = torch.eye(n_rows, dtype=dtype, device=device)
        terms = torch.einsum("rs,kn->rkns", own, columns).reshape(n_rows * len(columns), -1)
    _TERMS.put(key, terms)
    return terms
