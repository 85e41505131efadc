"""`stnkit apply` on photographs, beside two processes of Pillow that read and write them and do nothing else.

`python -m photographs.compare RUN_DIR FOLDER [--photographs 100] [--turns 5]`, with `benchmarks` on PYTHONPATH: makes
JPEG files of 1 to 12 megapixels in FOLDER, once, and prints the ratio of the times of each turn. Both start with
everything imported, take two cores, and write files of the same quality.
"""

import argparse
import multiprocessing
import shutil
import statistics
import time
from pathlib import Path

import numpy as np
from PIL import Image

import stnkit
from stnkit.experiments.rectification.apply import Request, apply
from stnkit.experiments.rectification.results import Options

PROCESSES = 2
WANTED = 1.25
QUALITY = 90
# Of the sensor, in 255 steps: a file then has the bytes of a photograph, 0.37 for each pixel.
NOISE = 9.0


def photograph(height: int, width: int, draws: np.random.Generator) -> Image.Image:
    """An image with the spectrum of a photograph, and the noise of a sensor.

    Args:
        height: in pixels.
        width: in pixels.
        draws: of the image.
    """
    made = np.zeros((height, width, 3), np.float32)
    for octave in range(1, 11):
        size = max(2, width >> octave), max(2, height >> octave)
        for channel in range(3):
            waves = draws.normal(size=size[::-1]).astype(np.float32) * 1.9**octave
            made[..., channel] += np.asarray(Image.fromarray(waves).resize((width, height), Image.Resampling.BICUBIC))
    made = (made - made.mean()) / made.std() * 45 + 120
    made += draws.normal(size=made.shape).astype(np.float32) * NOISE
    return Image.fromarray(made.clip(0, 255).astype(np.uint8))


def make(folder: Path, n: int) -> list[Path]:
    """Photographs from 1 to 12 megapixels, upright and across; those that are there stay.

    Args:
        folder: of the files.
        n: number of them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{i:04}.jpg" for i in range(n)]
    for i, path in enumerate(paths):
        if not path.exists():
            draws = np.random.default_rng(i)
            short = round((draws.uniform(1e6, 12e6) * 3 / 4) ** 0.5)
            sides = short, short * 4 // 3
            photograph(*(sides if i % 3 else sides[::-1]), draws).save(path, quality=QUALITY, subsampling="4:2:0")
    return paths


def copy(path: Path, output: Path) -> None:
    """Read and write a file with Pillow.

    Args:
        path: of the file.
        output: folder of the other one.
    """
    with Image.open(path) as image:
        image.save(output / path.name, quality="keep")


def main() -> None:
    """Make the photographs, and print a line for each turn and one for all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photographs", type=int, default=100)
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    paths = make(options.folder / "photographs", options.photographs)
    pixels = []
    for path in paths:
        with Image.open(path) as image:
            pixels.append(image.width * image.height / 1e6)
    n_bytes = sum(path.stat().st_size for path in paths)
    print(f"{len(paths)} photographs, {min(pixels):.1f} to {max(pixels):.1f} megapixels, {n_bytes / 1e6:.0f} MB")
    rectifier = stnkit.load_run(options.run).rectifier()
    outputs = options.folder / "copied", options.folder / "rectified"
    ratios = []
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        for turn in range(options.turns + 1):
            for output in outputs:
                shutil.rmtree(output, ignore_errors=True)
            outputs[0].mkdir()
            began = time.perf_counter()
            pool.starmap(copy, [(path, outputs[0]) for path in paths], chunksize=1)
            copied = time.perf_counter() - began
            began = time.perf_counter()
            found = apply(rectifier, Request([paths[0].parent], outputs[1], Options(), {}, workers=PROCESSES))
            rectified = time.perf_counter() - began
            assert len(found.rows) == len(paths)
            assert not found.failed
            if turn:  # the first one warms both up
                ratios.append(rectified / copied)
                print(f"Pillow alone {copied:6.2f} s, stnkit apply {rectified:6.2f} s, ratio {ratios[-1]:.2f}")
    low, high = min(ratios), max(ratios)
    print(f"ratio {statistics.median(ratios):.2f}, turns {low:.2f} to {high:.2f}, wanted at most {WANTED}")


if __name__ == "__main__":
    main()
