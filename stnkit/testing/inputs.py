"""What checks put into components: seeded, so that a check that fails fails again."""

import torch
from jaxtyping import Float
from torch import Tensor

from stnkit import coordinates
from stnkit.families.family import TransformFamily

# Sizes of an output, (H, W) and (D, H, W), with no two axes alike: an exchange of axes shows.
SIZE = {2: (5, 8), 3: (3, 4, 5)}


def uniform(*shape: int, seed: int = 0) -> Float[Tensor, "..."]:
    """U(−1, 1) in float64."""
    return 2 * torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) - 1


def theta_of(
    family: TransformFamily, batch: int = 3, spread: float = 0.02, seed: int = 1, dtype: torch.dtype = torch.float64
) -> Float[Tensor, "B P"]:
    """θ near the identity: every entry moved by U(−spread, spread)."""
    moved = family.identity().double() + spread * uniform(batch, family.n_params, seed=seed)
    return moved.to(dtype)


def points_of(
    family: TransformFamily, batch: int = 1, n: int = 12, reach: float = 0.9, seed: int = 2
) -> Float[Tensor, "B N ndim"]:
    """Points of [-reach, reach] in float64."""
    return reach * uniform(batch, n, family.ndim, seed=seed)


def lattice_points(size: tuple[int, ...], dtype: torch.dtype = torch.float64) -> Float[Tensor, "1 N ndim"]:
    """The pixel centers of an output as a list of points."""
    return coordinates.lattice(size, dtype=dtype).view(1, -1, len(size))


def devices() -> list[torch.device]:
    """The CPU, and a GPU if there is one."""
    return [torch.device(name) for name in (["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"])]
