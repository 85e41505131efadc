"""Pictures of the inputs and outputs of a network's transformers."""

import contextlib
import functools
import itertools
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from stnkit import coordinates
from stnkit.experiments.grid_lines import grid_lines
from stnkit.experiments.placement import TransformedNetwork
from stnkit.transformer import SpatialTransformer

GAP = 3  # pixels between two images of a row


def transformer_inputs(network: TransformedNetwork, images: Tensor) -> dict[str, tuple[SpatialTransformer, Tensor]]:
    """Every transformer of two dimensions by its insertion point, with its input in a forward pass of the images.

    Args:
        network: in evaluation mode.
        images: (B, C, H, W).
    """
    transformers = network.transformers()
    seen: dict[str, Tensor] = {}
    with contextlib.ExitStack() as hooks, torch.no_grad():
        for point, transformer in transformers.items():
            record = functools.partial(_record, seen, point)
            hooks.callback(transformer.register_forward_pre_hook(record).remove)
        network(images)
    return {point: (transformers[point], image) for point, image in seen.items() if image.ndim == 4}


def _record(seen: dict[str, Tensor], point: str, module: nn.Module, inputs: tuple[Tensor]) -> None:
    seen[point] = inputs[0]


def draw_before_and_after(
    seen: Mapping[str, tuple[SpatialTransformer, Tensor]], path: Path, names: Sequence[str] = ()
) -> Path:
    """Draw the inputs of transformers with the learned grid on them, above their outputs; a pair's fixed image below.

    Args:
        seen: by insertion point, a transformer and its input (B, C, H, W): images of 1 or 3 channels in [0, 1], or
            feature maps, which are drawn as their mean over channels. One column for each image of the batch.
        path: of the PNG to write.
        names: of the columns, written above them.

    Returns:
        The path.
    """
    import matplotlib as mpl  # slow to import, and only needed here

    logging.getLogger("matplotlib").setLevel(logging.WARNING)  # it reports its font cache
    mpl.use("agg")
    from matplotlib import pyplot as plt
    from matplotlib.collections import LineCollection
    from matplotlib.patches import Rectangle

    columns = max(len(images) for _, images in seen.values())
    n_rows = [2 if transformer.sampled_channels is None else 3 for transformer, _ in seen.values()]
    rows = sum(n_rows)
    # One axes for a row: an axes costs as much to make as ten images to draw.
    figure, axes = plt.subplots(rows, figsize=(1.1 * columns + 0.5, 1.2 * rows + 0.2))
    own_axes = iter(axes)
    for n, (point, (transformer, images)) in zip(n_rows, seen.items(), strict=True):
        pair = list(itertools.islice(own_axes, n))
        with torch.no_grad():
            theta = transformer.localize(images)
            fixed = images[:, transformer.sampled_channels or 0 :]
            images = transformer.sampled(images)
            warped = transformer.warp(images, theta)
            lines = coordinates.to_pixels(grid_lines(transformer.family, theta).cpu(), images.shape[2:])
        for axis, shown in zip(pair, _drawn(images, *[warped, fixed][: n - 1]), strict=True):
            axis.imshow(_side_by_side(shown), cmap="gray", vmin=0, vmax=1)
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        height, width = images.shape[2:]
        if pair[0] is axes[0]:
            for i, name in enumerate(names):
                middle = i * (width + GAP) + (width - 1) / 2
                pair[0].annotate(
                    name, (middle, -0.5), (0, 2), textcoords="offset points", ha="center", va="bottom", fontsize=7
                )
        for i, line in enumerate(lines.numpy()):
            left = i * (width + GAP) - 0.5
            drawn = LineCollection(np.add(line.swapaxes(0, 1), (left + 0.5, 0)), colors="tab:orange", linewidths=0.6)
            pair[0].add_collection(drawn, autolim=False)
            drawn.set_clip_path(Rectangle((left, -0.5), width, height, transform=pair[0].transData))
        named = f"\n{point}" if len(seen) > 1 else ""
        for axis, word in zip(pair, ("before", "after", "fixed"), strict=False):
            axis.set_ylabel(f"{word}{named}")
    figure.tight_layout(pad=0.3)
    figure.savefig(path, dpi=130)
    plt.close(figure)
    return path


def drawable(images: Tensor) -> np.ndarray:
    """Images in the layout of matplotlib, (B, H, W) or (B, H, W, 3) in [0, 1]; other channels become their mean.

    Args:
        images: (B, C, H, W).
    """
    shown = images.detach().float().cpu().clamp(0, 1)
    if shown.shape[1] not in (1, 3):
        shown = shown.mean(dim=1, keepdim=True)
    return shown.movedim(1, -1).squeeze(-1).numpy()


def _side_by_side(images: np.ndarray) -> np.ndarray:
    """Images (B, H, W) or (B, H, W, 3) as one of B columns, with white gaps of GAP pixels."""
    gap = [(0, 0), (0, 0), (0, GAP), *[(0, 0)] * (images.ndim - 3)]
    return np.concatenate(np.pad(images, gap, constant_values=1.0), axis=1)[:, :-GAP]


def _drawn(*images: Tensor) -> list[np.ndarray]:
    """All in the layout of matplotlib; feature maps are scaled to [0, 1] by the range of the first."""
    if images[0].shape[1] not in (1, 3):
        means = [image.mean(dim=1, keepdim=True) for image in images]
        low, high = means[0].min(), means[0].max()
        images = tuple((mean - low) / (high - low).clamp(min=1e-12) for mean in means)
    return [drawable(image) for image in images]
