"""Draw a folder of traffic signs for `dataset=folder`.

python examples/signs/draw.py FOLDER [--train 500] [--validation 50] [--test 200] [--seed 0]

FOLDER/SPLIT/SIGN/NUMBER.png are images of 96×96 pixels, with a sign whose side is 18 to 30 pixels. The photographs
behind the signs are the two that come with scikit-learn. Each split has a part of them for itself. FOLDER/corners.csv
has the corners of each sign, which no training sees.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
from faces import NAMES
from PIL import Image
from scenes import Painter
from sklearn.datasets import load_sample_images

# Images of each sign, and columns of the photographs as shares of the width.
SPLITS = {"train": (500, (0.0, 0.6)), "validation": (50, (0.6, 0.8)), "test": (200, (0.8, 1.0))}


def draw(folder: Path, counts: dict[str, int], seed: int = 0) -> None:
    """Write the images. One depends on its split, sign, number and the seed, and not on how many there are.

    Args:
        folder: of the splits.
        counts: number of images of each sign in each split.
        seed: of all draws, at least 0.
    """
    photographs = [Image.fromarray(image) for image in load_sample_images().images]
    rows = []
    for index, (split, (_, columns)) in enumerate(SPLITS.items()):
        for label, name in enumerate(NAMES):
            place = Path(split, name)
            (folder / place).mkdir(parents=True)
            for number in range(counts[split]):
                painter = Painter(photographs, columns, np.random.default_rng([seed, index, label, number]))
                image, corners = painter.scene(name)
                image.save(folder / place / f"{number:04}.png")
                rows.append([(place / f"{number:04}.png").as_posix(), *corners.ravel().round(2)])
    with (folder / "corners.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["file", *(f"{axis}{corner}" for corner in range(4) for axis in "xy")], *rows])


def main() -> None:
    """Draw the folder that the command line names."""
    parser = argparse.ArgumentParser(description="Draw a folder of traffic signs.")
    parser.add_argument("folder", type=Path, help="a new folder")
    for split, (count, _) in SPLITS.items():
        parser.add_argument(f"--{split}", type=int, default=count, metavar="N", help=f"images of each sign, {count}")
    parser.add_argument("--seed", type=int, default=0, help="of all draws, 0")
    given = parser.parse_args()
    counts = {split: getattr(given, split) for split in SPLITS}
    if given.folder.exists():
        parser.error(f"folder: expected a new one, got {given.folder}")
    if min(counts.values()) < 1 or given.seed < 0:
        parser.error(f"expected at least 1 image of each sign and a seed of at least 0, got {counts} and {given.seed}")
    draw(given.folder, counts, given.seed)
    print(f"{given.folder}: {len(NAMES) * sum(counts.values()):,} images of {len(NAMES)} signs")


if __name__ == "__main__":
    main()
