"""θ of maps whose functions are 0 at most points, by least squares with a sparse system of normal equations."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from numpy.typing import NDArray
from torch import Tensor

from stnkit.families.correspondences.least_squares import UndeterminedError
from stnkit.families.correspondences.scattered_points import scattered_points
from stnkit.families.scattered_basis import local_product

# (B, N, ndim) points in float64 -> the indices (B, N, S) and values (B, N, S) of the functions that act at each.
LocalFunctions = Callable[[Tensor], tuple[Tensor, Tensor]]

# Normal equations keep half of the digits. Beyond this condition number the steps of refinement could leave an error
# above 1e-10, and QR is asked.
WORST = 1e10
# Scattered points for each function, of which some lie where it acts, if it acts on the image.
POINTS = 16


def local_least_squares(
    functions: LocalFunctions,
    n_functions: int,
    target: Float[Tensor, "B N ndim"],
    values: Float[Tensor, "B N ndim"],
    weights: Float[Tensor, "B N"],
) -> Float[Tensor, "B ndim F"] | None:
    """The c of least Σ w ‖Σ_s c_{k(s)} b_s − v‖², for each coordinate by itself; None where it is badly determined.

    N × S numbers and a sparse factor, where a dense system has N × F. Differentiable in b, v and w, twice.

    Args:
        functions: gives the indices k and the values b of the functions that are not 0 at each point; an index may
            occur twice.
        n_functions: F.
        target: the points, in float64.
        values: v, likewise.
        weights: w, at least 0.

    Raises:
        InputError: when a function that acts on the image acts on none of the points.
    """
    indices, basis = functions(target)
    _check_read(functions, n_functions, target, (indices, basis), weights)
    normals: list[_Normal] = []
    for index in range(len(indices)):
        same = index > 0 and all(torch.equal(t[index], t[index - 1]) for t in (indices, basis, weights))
        normal = normals[-1] if same else _Normal.of(indices[index], basis[index], n_functions, weights[index])
        if normal is None:
            return None
        normals.append(normal)
    found = torch.zeros(len(indices), values.shape[2], n_functions, dtype=values.dtype, device=values.device)
    # With the factor a constant a step removes the error of order k and leaves that of order k + 1. The first finds
    # the solution, two more carry its derivatives.
    with torch.no_grad():
        found = found + _step(normals, indices, basis, values, weights, found)
    for _ in range(2):
        found = found + _step(normals, indices, basis, values, weights, found)
    return found


def _check_read(
    functions: LocalFunctions,
    n_functions: int,
    target: Float[Tensor, "B N ndim"],
    read: tuple[Int64[Tensor, "B N S"], Float[Tensor, "B N S"]],
    weights: Float[Tensor, "B N"],
) -> None:
    """Raise an InputError unless each function that acts on the image acts on a point of positive weight.

    Raises:
        InputError: when one does not.
    """
    acting = _acting(read[0], weights[..., None] * read[1], n_functions)
    if bool(acting.all()):
        return
    everywhere = scattered_points(POINTS * n_functions, target.shape[2]).to(target)
    unread = (_acting(*functions(everywhere), n_functions) & ~acting).sum(dim=1)
    for index in unread.nonzero()[:, 0].tolist():
        n_points = int((weights[index] > 0).sum())
        raise UndeterminedError(
            f"expected points that determine the map, got {n_points} of positive weight at index {index} of the batch, "
            f"and none of them where {int(unread[index])} of its {n_functions} functions act"
        )


def _acting(indices: Int64[Tensor, "B N S"], values: Float[Tensor, "B N S"], n_functions: int) -> Bool[Tensor, "B F"]:
    """The mask of functions that are not 0 at one of the points."""
    sums = torch.zeros(len(indices), n_functions, dtype=values.dtype, device=values.device)
    return sums.scatter_add(1, indices.flatten(1), values.detach().abs().flatten(1)) > 0


def _step(
    normals: list["_Normal"], indices: Tensor, basis: Tensor, values: Tensor, weights: Tensor, found: Tensor
) -> Float[Tensor, "B ndim F"]:
    """(AᵀWA)⁻¹ AᵀW (v − A c)."""
    missing = weights[..., None] * (values - local_product(found, indices, basis))
    parts = (missing.mT[..., None] * basis[:, None]).flatten(2)
    index = indices.flatten(1)[:, None].expand_as(parts)
    right = torch.zeros_like(found).scatter_add(2, index, parts)
    solved: Tensor = _Solution.apply(right, normals)  # type: ignore[no-untyped-call]
    return solved


class _Normal:
    """The factor of AᵀWA of one element of the batch, with columns of A of length 1."""

    def __init__(self, lengths: NDArray[np.float64], factor: Any) -> None:
        self._lengths = lengths
        self._factor = factor

    @classmethod
    def of(
        cls,
        indices: Int64[Tensor, "N S"],
        basis: Float[Tensor, "N S"],
        n_functions: int,
        weights: Float[Tensor, "N"],
    ) -> "_Normal | None":
        """The factor, or None where the matrix is nearly singular.

        Args:
            indices: of the functions at each point.
            basis: their values.
            n_functions: the number of all functions.
            weights: of the points.
        """
        import scipy.sparse.linalg  # slow to import, and only needed for large fits

        n_points, n_support = indices.shape
        rows = np.repeat(np.arange(n_points), n_support)
        entries = (weights.detach().sqrt()[:, None] * basis.detach()).flatten().cpu().numpy()
        place = (rows, indices.flatten().cpu().numpy())
        matrix = scipy.sparse.csc_array((entries, place), shape=(n_points, n_functions))
        normal = (matrix.T @ matrix).tocsc()
        squares = normal.diagonal()
        if not squares.all():  # of a function that acts nowhere on the image
            return None
        lengths = np.sqrt(squares)
        scaled = (scipy.sparse.diags_array(1 / lengths) @ normal @ scipy.sparse.diags_array(1 / lengths)).tocsc()
        try:
            # A symmetric order of elimination, as the matrix has a symmetric pattern and a large diagonal.
            factor = scipy.sparse.linalg.splu(
                scaled, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
            )
        except RuntimeError:  # exactly singular
            return None
        inverse = scipy.sparse.linalg.LinearOperator(
            scaled.shape, matvec=factor.solve, rmatvec=factor.solve, dtype=scaled.dtype
        )
        condition = scipy.sparse.linalg.norm(scaled, 1) * scipy.sparse.linalg.onenormest(inverse)
        # NaN where the factor is not finite.
        return cls(lengths, factor) if condition < WORST else None

    def solve(self, right: NDArray[np.float64]) -> NDArray[np.float64]:
        """The x with AᵀWA x = b for the columns of b.

        Args:
            right: b, (F, ndim).
        """
        lengths = self._lengths[:, None]
        solved: NDArray[np.float64] = self._factor.solve(right / lengths) / lengths
        return solved


class _Solution(torch.autograd.Function):
    """The solution for each element and coordinate; as AᵀWA is symmetric, its derivative is a solution too."""

    @staticmethod
    def forward(ctx: Any, right: Tensor, normals: list[_Normal]) -> Tensor:
        ctx.normals = normals
        columns = right.detach().mT.cpu().numpy()
        solved = np.stack([normal.solve(of_one) for normal, of_one in zip(normals, columns, strict=True)])
        return torch.from_numpy(solved).to(right).mT.contiguous()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        solved: Tensor = _Solution.apply(gradient, ctx.normals)  # type: ignore[no-untyped-call]
        return solved, None
