"""A row of images as one embedded PNG, optionally with the learned grid drawn on them."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float
from torch import Tensor

from stnkit import coordinates
from stnkit.experiments.pictures import drawable


@dataclass(frozen=True)
class Strip:
    """A row of images of equal size.

    Args:
        name: caption, of one or two words.
        source: data URI of the PNG.
        tile: (H, W) of one image.
        n: number of images.
        lattices: the SVG path of the grid on each image, in pixels of the image; empty without grids.
        outlines: by caption, likewise a line on each image; empty for an image without such a line.
    """

    name: str
    source: str
    tile: tuple[int, int]
    n: int
    lattices: Sequence[str] = ()
    outlines: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def width(self) -> int:
        """Width of the PNG in pixels."""
        return self.n * self.tile[1]


def make_strip(
    name: str,
    images: Float[Tensor, "n C H W"],
    white: float = 1.0,
    lattices: Float[Tensor, "n *line 2"] | None = None,
    outlines: Mapping[str, Float[Tensor, "n _ 2"]] | None = None,
) -> Strip:
    """Draw images as one strip.

    Args:
        name: caption.
        images: values in [0, white], where 0 is drawn black.
        white: value that is drawn white.
        lattices: grid lines on each image, in normalized coordinates, as `grid_lines` gives them.
        outlines: by caption, the points of a line on each image, likewise.
    """
    from matplotlib.image import imsave  # imported late: only a page needs matplotlib

    n, (height, width) = len(images), images.shape[2:]
    strip = np.concatenate([*drawable(images / white)], axis=1)
    png = io.BytesIO()
    imsave(png, strip, cmap="gray", vmin=0, vmax=1, format="png")
    source = f"data:image/png;base64,{base64.b64encode(png.getvalue()).decode()}"
    paths = [] if lattices is None else [_path(lattice, (height, width)) for lattice in lattices]
    lines = {
        caption: [_path(own[:, None], (height, width)) if bool(own.isfinite().all()) else "" for own in points]
        for caption, points in (outlines or {}).items()
    }
    return Strip(name, source, (height, width), n, paths, lines)


def _path(lattice: Tensor, size: tuple[int, int]) -> str:
    """Lines, each a column of points, as the `d` of an SVG path, in which pixel i spans [i, i + 1]."""
    points = coordinates.to_pixels(coordinates.finite(lattice.cpu(), bound=20), size) + 0.5
    return "".join("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in line) for line in points.movedim(1, 0).tolist())
