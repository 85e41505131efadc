"""Common pose: a loss on θ that asks for one pose of all originals, from two distortions of each."""

import torch
from jaxtyping import Float
from torch import Tensor

from stnkit import coordinates
from stnkit.experiments.losses.nodes import SMALLEST, centered, comparison_nodes
from stnkit.families.family import TransformFamily


def common_pose_error(
    family: TransformFamily, theta: Float[Tensor, "B P"], theta_again: Float[Tensor, "B P"]
) -> Float[Tensor, ""]:
    """Covariance of the maps of two distortions of an original: the variance, over originals, of their mean map.

    Equivariance lets every original keep a pose of its own. What two independent distortions of an original have in
    common is that pose, and nothing of the distortions. With T and T' of the two, their centers c and c' of the
    comparison nodes' images, the points d and d' about these, and means over the batch under a bar, it is the mean of

        (c − c̄)·(c' − c̄) + Σ (d − d̄)·(d' − d̄) / ½ Σ (|d|² + |d'|²)

    with common means of both. In expectation it is 0 where the mean map is that of all originals, and positive
    otherwise; over a batch it may be negative. It does not shrink the maps, as a penalty on their variance would.

    Args:
        family: of the transformer.
        theta: θ, of the images.
        theta_again: θ', of the same originals in the same order, distorted anew.

    Example:
        >>> import torch, stnkit
        >>> from stnkit.experiments.losses.common_pose import common_pose_error
        >>> family = stnkit.build("transform", "rotation")
        >>> first, second = torch.tensor([[0.3], [-0.3]]), torch.tensor([[0.2], [-0.2]])
        >>> common_pose_error(family, first, second) > 0, common_pose_error(family, first, -second) < 0
        (tensor(True), tensor(True))
    """
    with coordinates.full_precision(theta):
        nodes = comparison_nodes(family.ndim, theta)
        center, about = centered(family(theta, nodes))
        center_again, about_again = centered(family(theta_again, nodes))
        extent = (about.square() + about_again.square()).sum(dim=(1, 2)).mean() / 2
        shape = _covariance(about, about_again) / extent.clamp(min=SMALLEST)
        return _covariance(center, center_again) + shape


def _covariance(first: Float[Tensor, "B N ndim"], second: Float[Tensor, "B N ndim"]) -> Float[Tensor, ""]:
    """Mean over the batch of the inner products of the deviations from the common mean."""
    mean = torch.stack([first, second]).mean(dim=(0, 1))
    return ((first - mean) * (second - mean)).sum(dim=(1, 2)).mean()
