"""The nearest rotation, with or without a scale and a translation, of weighted points."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from stnkit import coordinates
from stnkit.errors import InputError
from stnkit.families.correspondences.least_squares import RANK


def procrustes(
    target: Float[Tensor, "B N ndim"],
    source: Float[Tensor, "B N ndim"],
    weights: Float[Tensor, "B N"],
    aspect: float | Sequence[float],
    scaled: bool = False,
    shifted: bool = False,
) -> Float[Tensor, "B rows rows"]:
    """The matrix of least Σ w ‖S (S⁻¹ s R S p + t − q)‖² with a proper rotation R, without a gradient.

    Distances are those of the images, not of normalized units. Where these differ, it is the start of a fit in
    normalized units.

    Args:
        target: p, in float64.
        source: q, in float64.
        weights: w, at least 0, not all 0.
        aspect: of S: the three sides of the volumes, S = diag(aspect); in two dimensions a number, S = diag(aspect, 1).
        scaled: find s > 0; 1 otherwise.
        shifted: find t; 0 otherwise.

    Raises:
        InputError: when no rotation is nearer than all others, as of points that all lie on one line of a volume.

    Example:
        >>> import torch, stnkit
        >>> corners, one = stnkit.coordinates.corners(2)[None], torch.ones(1, 4, dtype=torch.float64)
        >>> turned = torch.stack([-corners[..., 1], corners[..., 0]], dim=-1)
        >>> stnkit.families.procrustes(corners, turned, one, 1.0)[0].round(decimals=6) + 0.0
        tensor([[ 0., -1.,  0.],
                [ 1.,  0.,  0.],
                [ 0.,  0.,  1.]], dtype=torch.float64)

    Source: Umeyama, Least-squares estimation of transformation parameters between two point patterns, PAMI 1991.
    """
    target, source, weights = target.detach(), source.detach(), weights.detach()
    sides = target.new_tensor(aspect if isinstance(aspect, Sequence) else [aspect, 1.0])
    share = (weights / weights.sum(dim=1, keepdim=True))[..., None]
    p, q = sides * target, sides * source
    mean_p, mean_q = ((share * points).sum(dim=1, keepdim=True) * float(shifted) for points in (p, q))
    p, q = p - mean_p, q - mean_q
    u, values, vh = torch.linalg.svd((share * q).mT @ p)
    signs = torch.ones_like(values)
    # A negative determinant is a reflection: the proper rotation turns the weakest axis over.
    signs[:, -1] = torch.where(torch.linalg.det(u @ vh) < 0, -1.0, 1.0)
    _check_unique(values, signs)
    rotation = (u * signs[:, None]) @ vh
    if scaled:
        spread = (share * p.square()).sum(dim=(1, 2))
        rotation = rotation * ((values * signs).sum(dim=1) / spread)[:, None, None]
    shift = mean_q[:, 0] - (rotation @ mean_p.mT)[..., 0]
    return coordinates.homogeneous(rotation * sides / sides[:, None], shift / sides)


def _check_unique(values: Float[Tensor, "B ndim"], signs: Float[Tensor, "B ndim"]) -> None:
    unique = values[:, -2] + signs[:, -1] * values[:, -1] > RANK**2 * values[:, 0]
    if not bool(unique.all()):
        index = unique.tolist().index(False)
        raise InputError(
            "expected points to which one rotation is nearer than all others, "
            f"got points without it at index {index} of the batch"
        )
