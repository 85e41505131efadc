"""Pictures of what a transformer does."""

import logging
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stnkit import coordinates
from stnkit.transformer import SpatialTransformer

GRID_LINES = 7


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
        lines = _grid_lines(transformer, theta)
    before, after = _drawable(images), _drawable(warped)
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


def _grid_lines(transformer: SpatialTransformer, theta: Tensor) -> Tensor:
    """Images of the lines of a regular lattice, (B, points of a line, lines, 2): columns of a plot."""
    along = torch.linspace(-1, 1, 40, dtype=theta.dtype, device=theta.device)
    across = torch.linspace(-1, 1, GRID_LINES, dtype=theta.dtype, device=theta.device)
    vertical = torch.stack(torch.meshgrid(along, across, indexing="ij")[::-1], dim=-1)
    target = torch.cat([vertical, vertical.flip(-1)], dim=1)
    source = transformer.family(theta, target.reshape(1, -1, 2))
    return source.view(len(theta), *target.shape)


def _drawable(images: Tensor) -> np.ndarray:
    shown = images.detach().float().cpu().clamp(0, 1)
    if shown.shape[1] not in (1, 3):
        shown = shown.mean(dim=1, keepdim=True)
    return shown.movedim(1, -1).squeeze(-1).numpy()
