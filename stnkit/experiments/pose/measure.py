"""The pose figures of a run: with its transformer, and with the identity instead."""

from typing import Any

import torch
from torch import Tensor, nn

from stnkit import coordinates
from stnkit.experiments.class_means import class_means
from stnkit.experiments.data.data_module import DistortedData
from stnkit.experiments.data.fixed import FixedLoader
from stnkit.experiments.placement import input_transformer
from stnkit.experiments.pose.maps import Poses, composed, poses
from stnkit.experiments.pose.rectified import rectified_variance
from stnkit.experiments.pose.residuals import mean_angles, root_mean_square, wrapped
from stnkit.experiments.pose.undefined import (
    FIGURES,
    OF_POSES,
    RECTIFIED,
    no_common_frame,
    no_pose,
    no_share,
    no_transformer,
    unmeasured,
)
from stnkit.families.family import TransformFamily
from stnkit.transformer import SpatialTransformer


@torch.no_grad()
def pose_metrics(network: nn.Module, data: DistortedData) -> dict[str, Any]:
    """The pose figures of metrics.json: of all test images, and under `pose` those of each class.

    Keys that end in `_identity` belong to a transformer that leaves its input as it is; the others exist where a
    single transformer stands at the input. A figure without a definition is absent: `undefined` holds its reason.

    Args:
        network: trained; its transformer is put into evaluation mode.
        data: its test split is measured. Pairs have no pose, and images without labels are one class.
    """
    if data.dataset.pair:
        return {}
    test, distortion = data.fixed("test"), data.distortion
    size = data.dataset.image_shape[1:]
    labelled = data.has_labels("test")
    labels = test.labels if labelled else torch.zeros(len(test.theta), dtype=torch.long, device=test.theta.device)
    n_classes = data.dataset.n_classes if labelled else 1
    transformer = input_transformer(network)
    out_size = distortion.out_size
    if transformer is not None:
        transformer.eval()
        out_size = transformer.out_size or out_size
    without_pose = no_pose(distortion, test.theta.cpu(), size)
    spread = rectified_variance(test.originals, distortion, None)

    record: dict[str, Any] = {}
    undefined: dict[str, str] = {}
    for suffix, straightened in (("", transformer), ("_identity", None)):
        figures: dict[str, float] = {}
        if not suffix and straightened is None:
            reasons = dict.fromkeys(FIGURES, no_transformer(network))
        elif reason := without_pose or (straightened and no_common_frame(straightened.family, _device(straightened))):
            reasons = dict.fromkeys(OF_POSES, reason)
        else:
            found = _poses(straightened, test, distortion.family, size, out_size)
            figures, by_class = summary(found, labels.to(found.center.device), n_classes, size)
            reasons = unmeasured(found, figures)
            record.setdefault("pose", {}).update({f"{name}{suffix}": value for name, value in by_class.items()})
        if RECTIFIED not in reasons:
            left = rectified_variance(test.originals, distortion, straightened) if straightened else spread
            figures[RECTIFIED] = left
            reasons |= no_share(spread, left)
        record |= {f"{name}{suffix}": value for name, value in figures.items() if name not in reasons}
        undefined |= {f"{name}{suffix}": reason for name, reason in reasons.items()}
    return record | ({"undefined": undefined} if undefined else {})


def summary(
    found: Poses, labels: Tensor, n_classes: int, size: tuple[int, ...]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The figures of all poses, and lists with one entry for each class.

    Residuals are standard deviations about the mean of each class; a class of one image has none. A corner error is
    the distance of a corner from its target, mean over corners and images. The target is the corner of the original
    (raw), or the mean of that corner over all images (global) or over those of its class (per_class), the
    least-squares estimate of a common map.

    Args:
        found: one pose for each image; undefined ones are left out and counted.
        labels: of the images.
        n_classes: number of classes.
        size: of the originals.
    """
    share = 1 - found.defined.double().mean().item()
    defined, labels = found.defined, labels[found.defined]
    overall: dict[str, Any] = {}
    by_class: dict[str, Any] = {"undefined": share, "images": torch.bincount(labels, minlength=n_classes).tolist()}

    # The mean of a single image is that image: its deviation of 0 says nothing.
    compared = torch.bincount(labels, minlength=n_classes)[labels] > 1

    def residual(name: str, deviations: Tensor) -> None:
        overall[name], by_class[name] = root_mean_square(deviations[compared], labels[compared], n_classes)

    if found.degrees is not None:
        degrees = found.degrees[defined]
        means = mean_angles(degrees, labels, n_classes)
        by_class["rotation_mean"] = means.tolist()
        residual("rotation_residual", wrapped(degrees - means[labels]))
    log_scale, center, corners = found.log_scale[defined], found.center[defined], found.corners[defined]
    means = class_means(log_scale, labels, n_classes)
    by_class["log_scale_mean"] = means.tolist()
    residual("log_scale_residual", log_scale - means[labels])
    residual("translation_residual", (center - class_means(center, labels, n_classes)[labels]).norm(dim=-1))

    ideal = coordinates.to_pixels(coordinates.corners(len(size)).to(corners), size)
    in_class = class_means(corners, labels, n_classes)[labels]
    several = torch.full_like(compared, len(labels) > 1)
    for name, target, counted in (
        ("raw", ideal, torch.ones_like(compared)),
        ("global", corners.mean(dim=0), several),
        ("per_class", in_class, compared),
    ):
        error = (corners - target).norm(dim=-1).mean(dim=-1)[counted]
        overall[f"corner_error_{name}"] = error.mean().item()
        by_class[f"corner_error_{name}"] = class_means(error, labels[counted], n_classes).tolist()
    return overall, by_class


def _poses(
    transformer: SpatialTransformer | None,
    test: FixedLoader,
    distortion: TransformFamily,
    size: tuple[int, ...],
    out_size: tuple[int, ...],
) -> Poses:
    if transformer is None:
        true_theta = test.theta.cpu()
        return poses(composed(distortion, true_theta), size, out_size, true_theta)
    device = _device(transformer)
    true_theta = test.theta.to(device)
    theta = torch.cat([transformer.localize(chunk.to(device)) for chunk in test.images.chunks()])
    return poses(composed(distortion, true_theta, transformer.family, theta), size, out_size, true_theta)


def _device(transformer: SpatialTransformer) -> torch.device:
    return next(transformer.parameters()).device
