"""Pictures of the inputs and outputs of a network's transformers."""

import contextlib
import functools
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from stnkit import coordinates
from stnkit.experiments.picture_rows import Row, transformed_rows, with_objective
from stnkit.experiments.placement import TransformedNetwork
from stnkit.insertion.points import INPUT
from stnkit.objectives import Batch, Objective
from stnkit.transformer import SpatialTransformer

GAP = 3  # pixels between two images of a row
GRID_COLOR = "tab:orange"
OUTLINE_COLORS = ("tab:green", "tab:pink", "tab:cyan", "tab:olive")


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
    seen: Mapping[str, tuple[SpatialTransformer, Tensor]],
    path: Path,
    names: Sequence[str] = (),
    objective: Objective | None = None,
    batch: Batch | None = None,
) -> Path:
    """Draw the inputs of transformers with the learned grid on them, above their outputs, and pairs as such.

    Args:
        seen: by insertion point, a transformer and its input (B, C, H, W): images of 1 or 3 channels in [0, 1], or
            feature maps, which are drawn as their mean over channels. One column for each image of the batch.
        path: of the PNG to write.
        names: of the columns, written above them.
        objective: of the run, whose pictures and outlines are drawn where a transformer stands at the input.
        batch: the images as the objective sees them.

    Returns:
        The path.
    """
    import matplotlib as mpl  # slow to import, and only needed here

    logging.getLogger("matplotlib").setLevel(logging.WARNING)  # it reports its font cache
    mpl.use("agg")
    from matplotlib import pyplot as plt

    rows = {point: transformed_rows(*inputs) for point, inputs in seen.items()}
    if objective is not None and batch is not None and INPUT in rows:
        rows[INPUT] = with_objective(rows[INPUT], objective, batch)
    columns, n = max(len(images) for _, images in seen.values()), sum(map(len, rows.values()))
    # One axes for a row: an axes costs as much to make as ten images to draw.
    figure, axes = plt.subplots(n, figsize=(1.1 * columns + 0.5, 1.2 * n + 0.2), squeeze=False)
    own_axes = iter(axes[:, 0])
    for point, own in rows.items():
        for row, image in zip(own, _drawn(own), strict=True):
            _draw_row(next(own_axes), row, image, f"\n{point}" if len(seen) > 1 else "")
    _write_names(axes[0, 0], names, next(iter(rows.values()))[0].images.shape[3])
    outlines = [name for own in rows.values() for name in own[0].outlines]
    figure.tight_layout(pad=0.3, rect=(0, 0.25 / figure.get_figheight() if outlines else 0, 1, 1))
    if outlines:
        figure.legend(handles=_legend(outlines), loc="lower center", ncols=len(outlines), fontsize=7, frameon=False)
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


def _draw_row(axis: Any, row: Row, images: np.ndarray, where: str) -> None:
    axis.imshow(_side_by_side(images), cmap="gray", vmin=0, vmax=1)
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)
    axis.set_ylabel(f"{row.name}{where}")
    size = images.shape[1:3]
    if row.lattices is not None:
        # Each line is a column of points.
        _draw_lines(axis, row.lattices.movedim(2, 1), size, GRID_COLOR, 0.6)
    for color, points in zip(_colors(row.outlines), row.outlines.values(), strict=True):
        _draw_lines(axis, points[:, None], size, color, 1.2)


def _draw_lines(axis: Any, lines: Tensor, size: tuple[int, ...], color: str, width: float) -> None:
    """Draw lines (B, lines, points, 2) on each of B images, and nothing outside of them."""
    from matplotlib.collections import LineCollection
    from matplotlib.patches import Rectangle

    for i, own in enumerate(coordinates.to_pixels(lines.cpu().float(), size).numpy()):
        left = i * (size[1] + GAP)
        drawn = LineCollection(np.add(own, (left, 0)), colors=color, linewidths=width)
        axis.add_collection(drawn, autolim=False)
        drawn.set_clip_path(Rectangle((left - 0.5, -0.5), size[1], size[0], transform=axis.transData))


def _write_names(axis: Any, names: Sequence[str], width: int) -> None:
    for i, name in enumerate(names):
        middle = i * (width + GAP) + (width - 1) / 2
        axis.annotate(name, (middle, -0.5), (0, 2), textcoords="offset points", ha="center", va="bottom", fontsize=7)


def _legend(names: Iterable[str]) -> list[Any]:
    from matplotlib.lines import Line2D

    names = list(names)
    return [Line2D([], [], color=color, label=name) for color, name in zip(_colors(names), names, strict=True)]


def _colors(names: Iterable[str]) -> list[str]:
    return [OUTLINE_COLORS[i % len(OUTLINE_COLORS)] for i, _ in enumerate(names)]


def _side_by_side(images: np.ndarray) -> np.ndarray:
    """Images (B, H, W) or (B, H, W, 3) as one of B columns, with white gaps of GAP pixels."""
    gap = [(0, 0), (0, 0), (0, GAP), *[(0, 0)] * (images.ndim - 3)]
    return np.concatenate(np.pad(images, gap, constant_values=1.0), axis=1)[:, :-GAP]


def _drawn(rows: Sequence[Row]) -> list[np.ndarray]:
    """The images in the layout of matplotlib; feature maps are scaled to [0, 1] by the range of the first."""
    first = rows[0].images
    if first.shape[1] in (1, 3):
        return [drawable(row.images) for row in rows]
    mean = first.mean(dim=1, keepdim=True)
    low, span = mean.min(), (mean.max() - mean.min()).clamp(min=1e-12)
    of_map = [row.images.shape[1] == first.shape[1] for row in rows]
    means = [
        row.images.mean(dim=1, keepdim=True) if same else row.images for row, same in zip(rows, of_map, strict=True)
    ]
    return [drawable((image - low) / span if same else image) for image, same in zip(means, of_map, strict=True)]
