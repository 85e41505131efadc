"""Packing, reading and training on 200,000 images beside what users would write; writes IMAGES.md."""

import argparse
import dataclasses
import datetime as dt
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

import stnkit
from many_images.delivery import BATCH, PROCESSES, Batches, by_data_loader, decoding_rate
from stepping import step_on_a_ready_batch

HERE = Path(__file__).parent
TURNS, STEPS = 5, 60
# Batches that are read in a turn: as many as several hundred megabytes.
CALLS = 200
GIGABYTE = 1e9


@dataclasses.dataclass
class Row:
    """A line of the table.

    Args:
        what: is measured.
        ours: figure of stnkit.
        beside: that of the other way.
        ratio: of the two, or the figure itself.
        turns: ratios of single turns.
        wanted: bound of the ratio.
        holds: True if it is met.
    """

    what: str
    ours: str
    beside: str
    ratio: float
    turns: list[float]
    wanted: str
    holds: bool

    def cells(self) -> list[str]:
        """The cells of the table."""
        among = f"{min(self.turns):.2f} to {max(self.turns):.2f}" if len(self.turns) > 1 else ""
        mark = "✓" if self.holds else "✗"
        return [self.what, self.ours, self.beside, f"{self.ratio:.2f}", among, self.wanted, mark]


def packing(some: Path) -> Row:
    """Images per second that are packed, beside those that two processes decode."""
    turns, rates = [], []
    for _ in range(TURNS - 2):
        bare = decoding_rate(some)
        with tempfile.TemporaryDirectory(dir=some.parent) as cache:
            folder = stnkit.build("dataset", "folder", root=str(some), cache=cache, workers=PROCESSES)
            began = time.perf_counter()
            n = sum(len(folder.split(split)[0]) for split in ("train", "validation", "test"))
            rates.append((n / (time.perf_counter() - began), bare))
        turns.append(rates[-1][0] / bare)
    ratio = statistics.median(turns)
    ours, beside = (statistics.median(column) for column in zip(*rates, strict=True))
    what = f"packing, beside {PROCESSES} processes that decode and do nothing else"
    return Row(what, f"{ours:,.0f} images/s", f"{beside:,.0f} images/s", ratio, turns, "≥ 0.8", ratio >= 0.8)


def an_epoch(some: Path, cache: Path) -> Row:
    """Seconds of an epoch of a DataLoader over those of ours."""
    batches = Batches(stnkit.build("dataset", "folder", root=str(some), cache=str(cache)), "none")
    batches.epoch()
    turns, times = [], []
    for _ in range(TURNS - 2):
        (theirs, n), (ours, same) = by_data_loader(some), batches.epoch()
        assert n == same
        times.append((ours, theirs))
        turns.append(theirs / ours)
    ratio = statistics.median(turns)
    ours, theirs = (statistics.median(column) for column in zip(*times, strict=True))
    what = f"an epoch of {n:,} images, beside a DataLoader with {PROCESSES} workers that decode with Pillow"
    return Row(what, f"{ours:.2f} s", f"{theirs:.2f} s", ratio, turns, "≥ 5", ratio >= 5)


def data_beside(what: str, ours: Callable[[], object], beside: Callable[[], object], calls: int, most: float) -> Row:
    """Milliseconds of a batch over those of something else, in turns."""
    turns, times = [], []
    for call in (ours, beside):
        call()
    for _ in range(TURNS):
        own, other = _seconds(ours, CALLS), _seconds(beside, calls)
        turns.append(own / other)
        times.append((own, other))
    ratio = statistics.median(turns)
    own, other = (1e3 * statistics.median(column) for column in zip(*times, strict=True))
    return Row(what, f"{own:.2f} ms", f"{other:.2f} ms", ratio, turns, f"≤ {most:g}", ratio <= most)


def a_run(many: Path, cache: Path) -> list[Row]:
    """The start and the private memory of `stnkit train` on all images, once they are packed."""
    found = []
    options = ["dataset=folder", f"dataset.root={many}", f"dataset.cache={cache}", "network=resnet"]
    for _ in range(TURNS - 2):
        with tempfile.TemporaryDirectory() as folder:
            note = Path(folder) / "note.json"
            _announce(Path(folder) / "many_images_watch-1.0.dist-info")
            path = os.pathsep.join([folder, str(HERE / "watching")])
            environment = {"PYTHONPATH": path, "WATCHED_NOTE": str(note), "WATCHED_STEPS": str(STEPS)}
            command = [str(Path(sys.executable).with_name("stnkit")), "train", *options, "training.progress=false"]
            ended = subprocess.run(
                [*command, f"hydra.run.dir={folder}/run"],
                env=os.environ | environment | {"WATCHED_BEGAN": repr(time.time())},
                capture_output=True,
                text=True,
                check=False,
            )
            if not note.exists():
                raise SystemExit(ended.stderr)
            found.append(json.loads(note.read_text()))
    seconds = [note["seconds"] for note in found]
    private = [note["private"] / GIGABYTE for note in found]
    start, memory = statistics.median(seconds), max(private)
    return [
        Row("seconds from the command to the first step", f"{start:.2f} s", "", start, seconds, "≤ 5", start <= 5),
        Row(f"private memory in {STEPS} steps, GB", f"{memory:.2f} GB", "", memory, private, "≤ 2", memory <= 2),
    ]


def _announce(folder: Path) -> None:
    """Write what makes the module in `watching` a plugin of an installed distribution."""
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: many-images-watch\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text("[stnkit]\ncallbacks.watch = many_images_watch\n")


def page(rows: list[Row], n: int) -> str:
    """The table, with its commands."""
    head = ["what", "stnkit", "beside it", "ratio", "turns", "wanted", ""]
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *(row.cells() for row in rows))]
    today, versions = dt.date.today(), f"torch {torch.__version__}, {torch.get_num_threads()} threads"
    return (
        f"# {n:,} images from files\n\nPNG files of 3×96×96 in ten classes, batches of {BATCH}; ratios side by side in "
        "one run, the median over turns.\n"
        f"Printed by `make bench-images` on {today}: {os.cpu_count()} cores, {versions}."
        "\n\n" + "\n".join(lines) + "\n"
    )


def _seconds(call: Callable[[], object], calls: int) -> float:
    """The mean, since what a reader does now and then is a part of its cost."""
    began = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - began) / calls


def main() -> None:
    """Measure everything and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    many, some, cache = folder / "many", folder / "some", folder / "cache"
    rows = [packing(some)]
    rows.append(an_epoch(some, cache))
    dataset = stnkit.build("dataset", "folder", root=str(many), cache=str(cache))
    n = sum(len(dataset.split(split)[0]) for split in ("train", "validation", "test"))
    rows += a_run(many, cache)
    step = step_on_a_ready_batch("resnet", dataset.image_shape, BATCH)
    for distortion in ("none", "rotation"):
        mapped, in_memory = Batches(dataset, distortion), Batches(dataset, distortion, in_memory=True)
        name = f"data of a batch, distortion={distortion}"
        rows.append(data_beside(f"{name}, beside a training step of resnet", mapped.batch, step, 3, 0.15))
        rows.append(data_beside(f"{name}, beside the same from memory", mapped.batch, in_memory.batch, CALLS, 1.3))
    text = page(rows, n)
    print(text)
    (HERE.parent / "IMAGES.md").write_text(text)
    shutil.rmtree(cache)


if __name__ == "__main__":
    main()
