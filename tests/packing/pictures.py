"""Folders of small image files, whose pixels follow from their names."""

import zlib
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("cat", "dog")


def pixels_of(name, height=6, width=8, channels=3):
    """Random bytes (H, W, C), the same for the same name."""
    draws = np.random.default_rng(zlib.crc32(name.encode()))
    return draws.integers(0, 256, (height, width, channels), dtype=np.uint8)


def write_image(root, name, height=6, width=8):
    """The file `root`/`name` with the pixels of its name."""
    path = Path(root) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels_of(name, height, width)).save(path)
    return path


def write_splits(root, n=3, classes=CLASSES, **size):
    """A folder for each split and class, with `n` images each; returns the root."""
    for split in ("train", "validation", "test"):
        for label in classes:
            for i in range(n):
                write_image(root, f"{split}/{label}/{i}.png", **size)
    return Path(root)


def write_tree(root, n=20, classes=CLASSES, **size):
    """A folder for each class, with `n` images each; returns the root."""
    for label in classes:
        for i in range(n):
            write_image(root, f"{label}/{i}.png", **size)
    return Path(root)


def expected_images(names, **size):
    """The images (N, 3, H, W) of those names."""
    return np.stack([pixels_of(name, **size).transpose(2, 0, 1) for name in names])
