"""Inputs of the checks: seeded, so that a failure repeats."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from stnkit import coordinates
from stnkit.families.family import TransformFamily

# Sizes of an output, (H, W) and (D, H, W), with no two sides equal: swapped axes change the result.
SIZE = {2: (5, 8), 3: (3, 4, 5)}


def seed_generators(seed: int) -> None:
    """Seed torch's global generators."""
    if torch.cuda.is_available():
        torch.manual_seed(seed)
    else:
        # Without a GPU `torch.manual_seed` records a stack trace for a later start of CUDA: 1 ms a call.
        torch.default_generator.manual_seed(seed)


def uniform(*shape: int, seed: int = 0) -> Float[Tensor, "..."]:
    """U(−1, 1) in float64."""
    return 2 * torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) - 1


def theta_of(
    family: TransformFamily, batch: int = 3, spread: float = 0.02, seed: int = 1, dtype: torch.dtype = torch.float64
) -> Float[Tensor, "B P"]:
    """θ near the identity: identity + U(−spread, spread) in every entry."""
    moved = family.identity().double() + spread * uniform(batch, family.n_params, seed=seed)
    return moved.to(dtype)


def points_of(
    family: TransformFamily, batch: int = 1, n: int = 12, reach: float = 0.9, seed: int = 2
) -> Float[Tensor, "B N ndim"]:
    """Points in [-reach, reach] in float64."""
    return reach * uniform(batch, n, family.ndim, seed=seed)


def is_in_reach(source: Tensor) -> Bool[Tensor, "B N"]:
    """False where T_θ has sent a point outside of every image, or to NaN."""
    return source.detach().abs().amax(dim=-1) < coordinates.OUTSIDE


def lattice_points(size: tuple[int, ...], dtype: torch.dtype = torch.float64) -> Float[Tensor, "1 N ndim"]:
    """The pixel centers of an output as a list of points."""
    return coordinates.lattice(size, dtype=dtype).view(1, -1, len(size))


def devices() -> list[torch.device]:
    """The CPU, and the GPU if there is one."""
    return [torch.device(name) for name in (["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"])]


def row_by_row(family: TransformFamily, theta: Tensor, points: Tensor) -> Float[Tensor, "B N ndim"]:
    """`forward` with one θ and its points at a time: the reference of a batch."""
    return torch.cat([family(row[None], some[None]) for row, some in zip(theta, points, strict=True)])


def gradient(value: Tensor, wanted: Tensor) -> Tensor:
    """The gradient of a scalar to `wanted`, zero where the scalar does not depend on it."""
    if not value.requires_grad:
        return torch.zeros_like(wanted)
    (found,) = torch.autograd.grad(value, wanted, allow_unused=True)
    return torch.zeros_like(wanted) if found is None else found
