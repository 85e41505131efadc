"""Pictures that `stnkit apply` is given in tests, and the tables that it writes."""

import csv
import json

import numpy as np
from PIL import Image


def smooth(height, width, channels=1, *, dtype=np.uint8):
    """A picture of slow waves in the whole range of a dtype."""
    y, x = np.mgrid[:height, :width] / max(height, width)
    waves = [np.sin(5 * x + 3 * y * (k + 1) + k) for k in range(channels)]
    largest = np.iinfo(dtype).max
    return (largest * (0.5 + 0.45 * np.stack(waves, axis=-1))).round().astype(dtype).squeeze()


def rows_of(folder):
    """The rows of theta.csv, with lists read from their cells."""
    with (folder / "theta.csv").open(newline="") as file:
        return [{name: json.loads(v) if v[:1] == "[" else v for name, v in row.items()} for row in csv.DictReader(file)]


def pixels_of(path):
    with Image.open(path) as image:
        return np.asarray(image).astype(np.float64)
