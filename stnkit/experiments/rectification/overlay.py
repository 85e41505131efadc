"""Overlay: the grid of a map, drawn on the image that it reads."""

import numpy as np
import torch
from jaxtyping import Shaped
from PIL import Image, ImageDraw
from torch import Tensor

from stnkit import coordinates
from stnkit.experiments.grid_lines import grid_lines
from stnkit.experiments.rectification.maps import ImageMap

# Pixels of the longer side: lines on a few pixels cannot be seen, and a photograph need not be copied for them.
SMALLEST, LARGEST = 256, 1024
COLOR = (255, 127, 14)
_MARGIN = 1e4


def overlay(image: Shaped[Tensor, "K H W"], through: ImageMap, *, largest: float, ink: bool = False) -> Image.Image:
    """The image in RGB with the lines of a regular lattice of the output where the map reads them.

    Args:
        image: gray, or its first three channels are red, green and blue.
        through: of the image.
        largest: the value of white.
        ink: True if its channels are the inverted cyan, magenta, yellow and black of a print.
    """
    height, width = image.shape[1:]
    scale = min(max(1.0, SMALLEST / max(height, width)), LARGEST / max(height, width))
    size = max(1, round(scale * height)), max(1, round(scale * width))
    step = max(1, int(1 / scale))
    shown = image[: 4 if ink else 3 if len(image) >= 3 else 1, ::step, ::step].float() * (255 / largest)
    if ink:  # black lies over the colors
        shown = shown[:3] * (shown[3:] / 255)
    pixels = shown.clamp(0, 255).byte().movedim(0, -1).squeeze(-1).numpy()
    resample = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BILINEAR
    drawn = Image.fromarray(np.ascontiguousarray(pixels)).resize(size[::-1], resample).convert("RGB")
    family, theta = through
    lines = coordinates.to_pixels(coordinates.finite(grid_lines(family, theta), _MARGIN), size)[0]
    canvas = ImageDraw.Draw(drawn)
    for line in torch.unbind(lines, dim=1):
        canvas.line([(x, y) for x, y in line.tolist()], fill=COLOR, width=max(1, round(max(size) / 400)))
    return drawn
