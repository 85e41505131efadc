"""Pictures of what a transformer does."""

import logging
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stnkit import coordinates
from stnkit.experiments.lattice import lattice_lines
from stnkit.transformer import SpatialTransformer


def before_and_after(transformer: SpatialTransformer, images: Tensor, path: Path) -> Path:
    """Draw images, with the learned grid on them, above what the transformer makes of them.

    Args:
        transformer: trained or not.
        images: (B, 1 or 3, H, W) in [0, 1], one column each.
        path: of the PNG to write.

    Returns:
        The path.
    """
    import matplotlib as mpl  # the figure is all that needs it

    logging.getLogger("matplotlib").setLevel(logging.WARNING)  # it reports on its font cache
    mpl.use("agg")
    from matplotlib import pyplot as plt

    with torch.no_grad():
        theta = transformer.localize(images)
        warped = transformer.warp(images, theta)
        lines = lattice_lines(transformer.family, theta)
    before, after = drawable(images), drawable(warped)
    lines = coordinates.to_pixels(lines.cpu(), images.shape[2:])
    figure, axes = plt.subplots(2, len(images), figsize=(1.1 * len(images) + 0.5, 2.6), squeeze=False)
    for column in range(len(images)):
        for row, shown in enumerate((before, after)):
            axes[row, column].imshow(shown[column], cmap="gray", vmin=0, vmax=1)
            axes[row, column].set(xticks=[], yticks=[])
        axes[0, column].plot(*lines[column].movedim(-1, 0).numpy(), color="tab:orange", linewidth=0.6)
        axes[0, column].set(xlim=(-0.5, images.shape[3] - 0.5), ylim=(images.shape[2] - 0.5, -0.5))
    axes[0, 0].set_ylabel("before")
    axes[1, 0].set_ylabel("after")
    figure.tight_layout(pad=0.3)
    figure.savefig(path, dpi=130)
    plt.close(figure)
    return path


def drawable(images: Tensor) -> np.ndarray:
    """Images as matplotlib takes them, (B, H, W) or (B, H, W, 3) in [0, 1]; other channels become their mean.

    Args:
        images: (B, C, H, W).
    """
    shown = images.detach().float().cpu().clamp(0, 1)
    if shown.shape[1] not in (1, 3):
        shown = shown.mean(dim=1, keepdim=True)
    return shown.movedim(1, -1).squeeze(-1).numpy()
