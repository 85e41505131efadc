"""Makes the images of this benchmark: 200,000 PNG files of 96×96 pixels in ten classes, in two splits of a tree."""

import argparse
import colorsys
import multiprocessing
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES, SIDE = 10, 96
SPLITS = {"train": 0.98, "validation": 0.01, "test": 0.01}
# Images of one task of a process.
BLOCK = 500


def image_of(index: int) -> np.ndarray:
    """Image number `index`, (96, 96, 3) in uint8: a tilted stripe pattern in the hue of its class over smooth noise.

    Args:
        index: of the image; its class is the remainder by ten.
    """
    random = np.random.default_rng(index)
    coarse = random.integers(0, 256, (6, 6, 3), dtype=np.uint8)
    background = np.asarray(Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC), np.float32)
    hue = np.array(colorsys.hsv_to_rgb((index % CLASSES) / CLASSES, 0.9, 1.0), np.float32) * 255
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    angle, phase = random.uniform(0, np.pi), random.uniform(0, 2 * np.pi)
    stripes = 0.5 + 0.5 * np.sin(0.4 * (x * np.cos(angle) + y * np.sin(angle)) + phase)[..., None]
    grain = random.normal(0, 6, (SIDE, SIDE, 1)).astype(np.float32)
    return np.clip(0.5 * background + 0.5 * stripes * hue + grain, 0, 255).astype(np.uint8)


def split_of(index: int, n: int) -> str:
    """The split of image `index` among n: all classes are in each.

    Args:
        index: of the image.
        n: number of images.
    """
    held = round(n * SPLITS["test"])
    return "test" if index < held else "validation" if index < 2 * held else "train"


def path_of(root: Path, index: int, n: int) -> Path:
    """The file of image `index` among n.

    Args:
        root: of the tree.
        index: of the image.
        n: number of images.
    """
    return root / split_of(index, n) / f"class_{index % CLASSES}" / f"{index:06}.png"


def make(root: Path, n: int, processes: int = 2) -> None:
    """Write the files that are missing.

    Args:
        root: of the tree.
        n: number of images, a multiple of 1,000.
        processes: number of processes that write.
    """
    for split in SPLITS:
        for label in range(CLASSES):
            (root / split / f"class_{label}").mkdir(parents=True, exist_ok=True)
    with multiprocessing.Pool(processes) as pool:
        for done, _ in enumerate(pool.imap(_write, [(root, n, first) for first in range(0, n, BLOCK)]), 1):
            print(f"\r{done * BLOCK:,} of {n:,} images", end="", flush=True)
    print()


def _write(task: tuple[Path, int, int]) -> None:
    root, n, first = task
    for index in range(first, min(first + BLOCK, n)):
        if not (path := path_of(root, index, n)).exists():
            Image.fromarray(image_of(index)).save(path, compress_level=1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path)
    parser.add_argument("--images", type=int, default=200_000)
    arguments = parser.parse_args()
    make(arguments.root, arguments.images)
