"""The arguments of a fit, checked and brought to one batch, in float64."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from stnkit import coordinates
from stnkit.errors import InputError
from stnkit.families.correspondences.least_squares import UndeterminedError

# Coordinates from here on have no source. `OUTSIDE` comes back a little smaller from pixels, in float32 too, and from
# numbers of fewer digits: 9984 in bfloat16, and pixels of it by less than the distance of its neighboring numbers.
LOST = coordinates.OUTSIDE * (1 - torch.finfo(torch.bfloat16).eps)


class Correspondences(NamedTuple):
    """Pairs of points with weights, of one batch, in float64.

    Args:
        target: points of the output.
        source: points of the input.
        weights: of the squared errors, at least 0.
        dtype: of the result.
    """

    target: Float[Tensor, "B N ndim"]
    source: Float[Tensor, "B N ndim"]
    weights: Float[Tensor, "B N"]
    dtype: torch.dtype


def check_correspondences(target: Tensor, source: Tensor, weights: Tensor | None, ndim: int) -> Correspondences:
    """The points and weights, each (batch of 1) the same for all or one set for each element.

    Points of weight 0 that are not finite are replaced, since 0 times NaN would be NaN. Source points at `OUTSIDE` or
    beyond, the mark of a point without a source, get the weight 0.

    Args:
        target: (B or 1, N, ndim).
        source: likewise.
        weights: (B or 1, N); None for 1.
        ndim: of the family.

    Raises:
        InputError: when a shape is wrong, an argument is not real, a point of positive weight is not finite or far
            outside, or weights are negative or all 0.
    """
    weights = _ones(target, source) if weights is None else weights
    named = {"target_points": target, "source_points": source, "weights": weights}
    for name, tensor in named.items():
        coordinates.check_is_tensor(name, tensor)
        expected = "(B, N)" if name == "weights" else f"(B, N, {ndim})"
        if tensor.ndim != (2 if name == "weights" else 3) or (name != "weights" and tensor.shape[-1] != ndim):
            raise InputError(f"{name}: expected shape {expected}, got {tuple(tensor.shape)}")
        if not tensor.is_floating_point():
            raise InputError(f"{name}: expected floating-point numbers, got {tensor.dtype}")
    if len({tensor.shape[1] for tensor in named.values()}) > 1:
        raise InputError(f"expected one number of points, got {_listed(named, 1)}")
    if len({tensor.shape[0] for tensor in named.values()} - {1}) > 1:
        raise InputError(f"expected one batch size, or 1, for all, got {_listed(named, 0)}")
    dtype = coordinates.coordinate_dtype(torch.promote_types(target.dtype, source.dtype))
    batch = 0 if 0 in (len(target), len(source), len(weights)) else max(map(len, named.values()))
    target, source, weights = (tensor.double().expand(batch, *tensor.shape[1:]) for tensor in named.values())
    if not bool((weights.isfinite() & (weights >= 0)).all()):
        raise InputError(f"weights: expected finite numbers of at least 0, got {_first_wrong(weights)}")
    given = weights
    weights = torch.where((source.detach().abs() >= LOST).any(dim=2) & source.isfinite().all(dim=2), 0.0, weights)
    if not bool((weights > 0).any(dim=1).all()):
        index = (weights > 0).any(dim=1).tolist().index(False)
        if bool((given[index] > 0).any()):
            nearest = source[index, given[index] > 0].detach().abs().amax(dim=1).min()
            raise UndeterminedError(
                f"source_points: expected normalized points, -1 to 1 in the image, got {nearest:.3g} and beyond "
                f"at index {index} of the batch"
            )
        raise UndeterminedError(
            f"expected at least one point of positive weight, got none at index {index} of the batch"
        )
    counted, finite = weights[..., None] > 0, target.isfinite() & source.isfinite()
    if not bool((finite | ~counted).all()):
        index = (finite | ~counted).all(dim=2).all(dim=1).tolist().index(False)
        raise InputError(f"expected finite points, got others at index {index} of the batch")
    # Of source points these are marks of no source. Squares of much larger ones overflow.
    farthest = torch.where(counted, target.detach().abs(), 0.0).flatten()
    if bool((farthest > coordinates.OUTSIDE).any()):
        raise InputError(f"target_points: expected normalized points, -1 to 1 in the image, got {farthest.max():.3g}")
    usable = finite.all(dim=2, keepdim=True)
    target, source = (torch.where(usable, points, 0.0) for points in (target, source))
    return Correspondences(target, source, weights, dtype)


def _ones(target: object, source: object) -> Tensor:
    shaped = [t for t in (target, source) if isinstance(t, Tensor) and t.ndim == 3]
    return torch.ones(1, shaped[0].shape[1], dtype=torch.float64, device=shaped[0].device) if shaped else torch.ones(1)


def _listed(named: dict[str, Tensor], axis: int) -> str:
    return ", ".join(f"{tensor.shape[axis]} ({name})" for name, tensor in named.items())


def _first_wrong(weights: Tensor) -> float:
    wrong: float = weights[~(weights.isfinite() & (weights >= 0))][0].item()
    return wrong
