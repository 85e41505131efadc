"""Common pose: a loss on θ that asks for one pose of all originals, from two distortions of each."""

import torch
import torch.distributed
from jaxtyping import Float
from torch import Tensor

from stnkit import coordinates
from stnkit.experiments.losses.nodes import SMALLEST, centered, comparison_nodes
from stnkit.families.family import TransformFamily


def common_pose_error(
    family: TransformFamily, theta: Float[Tensor, "B P"], theta_again: Float[Tensor, "B P"], weight: float = 1.0
) -> Float[Tensor, ""]:
    """Covariance of the maps of two distortions of an original: the variance, over originals, of their mean map.

    Equivariance lets every original keep a pose of its own. What two independent distortions of an original have in
    common is that pose, and nothing of the distortions. With T and T' of the two, their centers c and c' of the
    comparison nodes' images, the points d and d' about these, and means over the batch under a bar, it is the mean of

        (c − c̄)·(c' − c̄) + Σ (d − d̄)·(d' − d̄) / E

    with common means of both, and E, the mean over the batch of ½ Σ (|d|² + |d'|²), the extent of the maps. With the
    variance V of the originals' mean maps, and σ² of what distortions add, its expectation over batches of B images is
    (1 − 1/B) V − σ² / 2B: about V in a large batch, and nothing but distortions in a batch of one. Over a batch it may
    be negative. It does not shrink the maps, as a penalty on their variance would.

    Args:
        family: of the transformer.
        theta: θ, of the images.
        theta_again: θ', of the same originals in the same order, distorted anew.
        weight: of the mean over these images among those of several processes. The means c̄, d̄ and of the extent are
            over the whole batch of all, so that the mean of the weighted errors is what one process would have.

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
        shift = _products(center, center_again, weight).mean()
        shape = _products(about, about_again, weight).mean()
        extent = (about.square() + about_again.square()).sum(dim=(1, 2)).mean() / 2
        # The quotient of two means over all processes: its value, and its gradient to the images of this one.
        whole_shape = mean_over_processes(shape, weight)
        whole_extent = mean_over_processes(extent, weight).clamp(min=SMALLEST)
        return shift + shape / whole_extent - whole_shape / whole_extent.square() * (extent - extent.detach())


def mean_over_processes(of_shard: Tensor, weight: float) -> Tensor:
    """The mean over the images of all processes, without a gradient, of the mean over those of this one.

    Args:
        of_shard: mean over the images of this process.
        weight: of it among those of all processes, whose mean is 1.
    """
    mean = of_shard.detach() * weight
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.all_reduce(mean)
        mean = mean / torch.distributed.get_world_size()
    return mean


def _products(first: Float[Tensor, "B N ndim"], second: Float[Tensor, "B N ndim"], weight: float) -> Float[Tensor, "B"]:
    """Inner products of the deviations from the common mean, which has no part in the gradient of their mean."""
    mean = mean_over_processes(torch.stack([first, second]).mean(dim=(0, 1)), weight)
    return ((first - mean) * (second - mean)).sum(dim=(1, 2))
