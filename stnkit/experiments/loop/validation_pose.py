"""The pose that is left of the validation images, in every epoch: θ may stand still while the error falls."""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from stnkit.experiments.data.data_module import DistortedData
from stnkit.experiments.placement import input_transformer
from stnkit.experiments.pose.maps import Poses, composed, poses
from stnkit.experiments.pose.measure import summary
from stnkit.experiments.pose.undefined import no_common_frame, no_pose
from stnkit.transformer import SpatialTransformer

# Of the pose figures of the test, those that say whether θ learns.
FIGURES = ("rotation_residual", "corner_error_per_class")


class ValidationPose:
    """`rotation_residual` and `corner_error_per_class` of the validation images, as the test has them.

    Poses are kept, a few numbers for each image, and not θ, which may have thousands.

    Args:
        transformer: the one at the input.
        data: whose validation split is measured.
    """

    def __init__(self, transformer: SpatialTransformer, data: DistortedData) -> None:
        loader = data.fixed("validation")
        labelled = data.has_labels("validation")
        self.n_classes = data.dataset.n_classes if labelled else 1
        self.labels = loader.labels if labelled else torch.zeros_like(loader.theta[:, 0], dtype=torch.long)
        self._family, self._distortion = transformer.family, data.distortion.family
        self._size = tuple(data.dataset.image_shape[1:])
        self._out_size = transformer.out_size or data.distortion.out_size
        self._own = loader.shard.of(len(loader.theta))
        self._rows: list[Tensor] = []

    def reset(self) -> None:
        """Start an epoch."""
        self._rows = []

    def add(self, theta: Float[Tensor, "B P"], true_theta: Float[Tensor, "B Q"]) -> None:
        """Add the images of a batch, in the order of the split.

        Args:
            theta: of the transformer.
            true_theta: of the distortion.
        """
        point_map = composed(self._distortion, true_theta, self._family, theta)
        found = poses(point_map, self._size, self._out_size, true_theta)
        degrees = torch.zeros_like(found.log_scale) if found.degrees is None else found.degrees
        numbers = torch.stack([degrees, found.log_scale, found.defined.double()], dim=1)
        self._rows.append(torch.cat([numbers, found.center, found.corners.flatten(1)], dim=1))

    def figures(self, sum_over_processes: Callable[[Tensor], Tensor]) -> dict[str, float]:
        """Those of FIGURES that have a value.

        Args:
            sum_over_processes: of a tensor; it may work in place.
        """
        ndim = len(self._size)
        parts = [3, ndim, ndim * 2**ndim]
        every = torch.zeros(len(self.labels), sum(parts), dtype=torch.float64, device=self.labels.device)
        if self._rows:  # a process may have no image
            rows = torch.cat(self._rows)  # fewer than its images in a dry run; those left out are not defined
            every[self._own][: len(rows)] = rows
        numbers, center, corners = torch.split(sum_over_processes(every), parts, dim=1)
        degrees, log_scale, defined = numbers.unbind(dim=1)
        found = Poses(degrees if ndim == 2 else None, log_scale, center, corners.view(-1, 2**ndim, ndim), defined == 1)
        if not bool(found.defined.any()):
            return {}
        measured, _ = summary(found, self.labels, self.n_classes, self._size)
        return {name: measured[name] for name in FIGURES if math.isfinite(measured.get(name, math.nan))}


def validation_pose(network: nn.Module, data: DistortedData) -> ValidationPose | None:
    """That of a run; None where its images have no pose that the transformer could remove.

    Args:
        network: with a single transformer at its input, or there is no pose.
        data: of the run.
    """
    transformer = input_transformer(network)
    if transformer is None or data.dataset.pair or len(data.split("validation")[0]) == 0:
        return None
    theta = data.fixed("validation").theta
    if no_pose(data.distortion, theta.cpu(), data.dataset.image_shape[1:]) is not None:
        return None
    device = next(transformer.parameters()).device
    return None if no_common_frame(transformer.family, device) is not None else ValidationPose(transformer, data)
