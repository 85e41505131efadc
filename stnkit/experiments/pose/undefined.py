"""Reasons why a pose figure is not defined, so that its absence is not read as a perfect 0."""

import math
from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from stnkit import coordinates
from stnkit.distortions import Distortion
from stnkit.experiments.pose.maps import Poses, composed
from stnkit.families.family import TransformFamily
from stnkit.transformer import ParallelTransformers

RECTIFIED = "rectified_variance"
OF_POSES = (
    "rotation_residual",
    "log_scale_residual",
    "translation_residual",
    "corner_error_raw",
    "corner_error_global",
    "corner_error_per_class",
)
FIGURES = (*OF_POSES, RECTIFIED)
# The keys of metrics.json that `pose_metrics` may return.
POSE_KEYS = frozenset((*FIGURES, *(f"{name}_identity" for name in FIGURES), "pose", "undefined"))
# Half images. θ in float32 moves points by less.
TOLERANCE = 1e-5
# Share of the variance; float32 leaves less of equal images.
SPREAD = 1e-9


def no_pose(distortion: Distortion, theta: Float[Tensor, "N P"], size: Sequence[int]) -> str | None:
    """The reason why the images of a distortion have no pose that a transformer could remove; None if they have.

    Args:
        distortion: of the images.
        theta: its draws, on the CPU.
        size: of the originals.
    """
    if not distortion.channels_move_together:
        return "the channels of an image are distorted by different maps"
    if distortion.family.ndim != len(size):
        return f"the distortion maps {distortion.family.ndim} coordinates, and the images have {len(size)}"
    points = _points(len(size))
    shown = composed(distortion.family, theta)(points)
    if not bool(((shown - shown[:1]).abs() <= TOLERANCE).all()):  # also for NaN
        return None
    if bool(((shown - points).abs() <= TOLERANCE).all()):
        return "the distortion moves no point of any image"
    if len(theta) == 1:
        return "the pose of a single image has no other to be compared with"
    return "the distortion is the same for every image"


def no_common_frame(family: TransformFamily, device: torch.device) -> str | None:
    """The reason why the output of a family cannot be compared with the original point by point; None if it can.

    Args:
        family: of the transformer. A chart, such as log-polar coordinates, has no identity map.
        device: to compute on.
    """
    points = _points(family.ndim).to(device)
    with coordinates.full_precision(points):
        shown = family(family.identity()[None].to(points), points)
    # By its points too: a family of plugin API 1 does not know the word.
    if not family.is_chart and bool(((shown - points).abs() <= TOLERANCE).all()):
        return None
    return "the transform's neutral θ is not the identity map, so its output has other coordinates than the original"


def no_share(variance: float, left: float) -> dict[str, str]:
    """The reason, by the name, why `rectified_variance` has no value; empty if it has.

    Args:
        variance: of the distorted images themselves.
        left: of the outputs.
    """
    if variance < SPREAD:
        return {RECTIFIED: "the distortion draws the same image every time"}
    return {RECTIFIED: "all outputs are alike"} if math.isnan(left) else {}


def no_transformer(network: nn.Module) -> str:
    """The reason why a network has no single transformer at its input.

    Args:
        network: as `input_transformer` takes it.
    """
    if isinstance(getattr(network, "transformer", None), ParallelTransformers):
        return "several transformers stand in parallel at the input"
    return "the network has no transformer at its input"


def unmeasured(found: Poses, figures: Mapping[str, float]) -> dict[str, str]:
    """The reasons by the names of those figures of poses that have no value.

    Args:
        found: the poses.
        figures: by name; NaN or absent where there is no value.
    """
    if not bool(found.defined.any()):
        return dict.fromkeys(OF_POSES, "every image has a corner behind a horizon, or is folded at its center")
    reasons = dict.fromkeys(OF_POSES, "no two images of a class have a pose")
    if found.degrees is None:
        reasons["rotation_residual"] = "the angle of a rotation is defined in two dimensions only"
    return {name: reason for name, reason in reasons.items() if not math.isfinite(figures.get(name, math.nan))}


def _points(ndim: int) -> Float[Tensor, "1 M ndim"]:
    # Inner points too: a spline may leave the corners in place.
    corners = coordinates.corners(ndim)
    return torch.cat([corners.new_zeros(1, ndim), corners, corners / 2, corners / 4])[None]
