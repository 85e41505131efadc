"""Rows of pictures: images before and after a transformer, pairs, and what an objective adds."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from stnkit.errors import InputError
from stnkit.experiments.grid_lines import grid_lines
from stnkit.objectives import Batch, Objective
from stnkit.transformer import SpatialTransformer


@dataclass(frozen=True)
class Row:
    """Images of a batch beside each other.

    Args:
        name: caption, of a word or two.
        images: of 1 or 3 channels, from 0 (black) to 1 (white); others are shown as their mean over channels.
        lattices: the learned grid on each image, as `grid_lines` gives it.
        outlines: by caption, the points of a line on each image, in normalized coordinates.
    """

    name: str
    images: Float[Tensor, "B C H W"]
    lattices: Float[Tensor, "B along lines 2"] | None = None
    outlines: Mapping[str, Float[Tensor, "B _ 2"]] = field(default_factory=dict)


@torch.no_grad()
def transformed_rows(
    transformer: SpatialTransformer,
    images: Float[Tensor, "B C H W"],
    names: tuple[str, str] = ("before", "after"),
    lines: int = 7,
    points: int = 40,
) -> list[Row]:
    """The images with the learned grid on them, and as the transformer warps them.

    Of pairs, the moving image with the grid, the fixed one, the warped one, and |warped − fixed| where their sizes are
    equal.

    Args:
        transformer: of two dimensions.
        images: its input.
        names: of both rows, for images that are no pairs.
        lines: number of grid lines in each direction.
        points: number of points along each line.
    """
    theta = transformer.localize(images)
    lattices = grid_lines(transformer.family, theta, lines, points)
    moving = transformer.sampled(images)
    warped = transformer.warp(moving, theta)
    if transformer.sampled_channels is None:
        return [Row(names[0], moving, lattices), Row(names[1], warped)]
    fixed = images[:, transformer.sampled_channels :]
    rows = [Row("moving", moving, lattices), Row("fixed", fixed), Row("warped", warped)]
    return [*rows, Row("difference", (warped - fixed).abs())] if warped.shape == fixed.shape else rows


def with_objective(rows: list[Row], objective: Objective, batch: Batch) -> list[Row]:
    """The rows of a batch with the outlines of its objective on the first, and the further pictures below.

    Args:
        rows: of the images of the batch.
        objective: of the run.
        batch: of images of two dimensions.

    Raises:
        InputError: when the objective returns pictures or outlines of another shape.
    """
    name, n = type(objective).__name__, len(batch.images)
    with torch.no_grad():
        pictures, outlines = dict(objective.pictures(batch)), dict(objective.outlines(batch))
    for caption, images in pictures.items():
        if images.ndim != 4 or len(images) != n:
            raise InputError(
                f"{name}.pictures: {caption}: expected {n} images, (B, K, H, W), got shape {list(images.shape)}"
            )
    for caption, points in outlines.items():
        if points.ndim != 3 or len(points) != n or points.shape[-1] != 2:
            raise InputError(
                f"{name}.outlines: {caption}: expected the points of {n} lines, (B, points, 2), "
                f"got shape {list(points.shape)}"
            )
    first, *others = rows
    # A picture of the objective precedes one of the same name.
    others = [row for row in others if row.name not in pictures]
    drawn = Row(first.name, first.images, first.lattices, outlines)
    return [drawn, *others, *(Row(caption, images) for caption, images in pictures.items())]
