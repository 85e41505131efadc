"""A row of images as one PNG inside of the page, with or without the learned grid on them."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor

from stnkit import coordinates
from stnkit.experiments.figures import drawable


@dataclass(frozen=True)
class Strip:
    """Images of one size beside each other.

    Args:
        name: what is seen, in a word or two.
        source: data URI of the PNG.
        tile: (H, W) of one image.
        n: number of images.
        lattices: for each image the path of its grid in SVG, in pixels of the image; empty where there is none.
    """

    name: str
    source: str
    tile: tuple[int, int]
    n: int
    lattices: Sequence[str] = ()

    @property
    def width(self) -> int:
        """Of the PNG, in pixels."""
        return self.n * self.tile[1]


def make_strip(
    name: str, images: Float[Tensor, "n C H W"], white: float = 1.0, lattices: Float[Tensor, "n *line 2"] | None = None
) -> Strip:
    """Draw images as one strip.

    Args:
        name: what is seen.
        images: with values from 0, which is black.
        white: the value that is white.
        lattices: the lines of a grid on each image, normalized, as `lattice_lines` gives them.
    """
    from matplotlib.image import imsave  # a page is all that needs it

    n, (height, width) = len(images), images.shape[2:]
    strip = np.concatenate([*drawable(images / white)], axis=1)
    png = io.BytesIO()
    imsave(png, strip, cmap="gray", vmin=0, vmax=1, format="png")
    source = f"data:image/png;base64,{base64.b64encode(png.getvalue()).decode()}"
    paths = [] if lattices is None else [_path(lattice, (height, width)) for lattice in lattices]
    return Strip(name, source, (height, width), n, paths)


def _path(lattice: Tensor, size: tuple[int, int]) -> str:
    """Lines, each a column of points, as the `d` of an SVG path; pixel i spans i to i + 1 there."""
    points = coordinates.to_pixels(coordinates.finite(lattice.cpu(), bound=20), size) + 0.5
    return "".join("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in line) for line in points.movedim(1, 0).tolist())
