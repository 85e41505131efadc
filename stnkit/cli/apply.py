"""`stnkit apply RUN_DIR INPUT… --output DIR`: straighten files with the transformer of a trained run."""

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stnkit.cli.parser import Parser

if TYPE_CHECKING:
    from stnkit.experiments.rectification.apply import Applied

FAILED, INTERRUPTED = 1, 130


def main(arguments: list[str]) -> int:
    """Rectify images and arrays at their full resolution, and write θ beside them.

    Args:
        arguments: those after the command.

    Returns:
        0, or 1 if a file has no result, or 130 after Ctrl-C.

    Raises:
        StnkitError: when the run cannot be used, or the command is refused; then nothing is written.
    """
    options = _parser().parse(arguments)
    # The help of the command stays free of torch.
    from stnkit.experiments.rectification.apply import Request, apply
    from stnkit.experiments.rectification.results import Options
    from stnkit.experiments.trained_run import load_run

    run = load_run(options.run, dataset=None if options.root is None else {"root": options.root})
    rectifier = run.rectifier(sampler=options.sampler, padding=options.padding)
    size = None if options.size is None else tuple(options.size)
    request = Request(
        options.inputs,
        options.output,
        Options(size, options.scale, options.maps, options.overlay),
        _command(options, run.metrics),
        options.workers or _cores(),
        options.overwrite,
    )
    state = [0, 0]
    try:
        with _bar(state) as progress:
            applied = apply(rectifier, request, progress)
    except KeyboardInterrupt:
        print(
            f"stnkit apply: interrupted after {state[0]} of {state[1]} files; the same command goes on", file=sys.stderr
        )
        return INTERRUPTED
    for sentence in _sentences(applied, maps=options.maps):
        print(f"stnkit apply: {sentence}", file=sys.stderr)
    n_failed = len({row.file for row in applied.failed})
    before = f", {applied.before:,} of them before" if applied.before else ""
    n_rectified = applied.made + applied.before - n_failed
    print(f"{n_rectified:,} {'file' if n_rectified == 1 else 'files'} rectified{before}, {n_failed:,} failed")
    print(f"θ in {options.output / 'theta.csv'} and theta.json")
    return FAILED if n_failed else 0


@contextlib.contextmanager
def _bar(state: list[int]) -> Iterator[Callable[[int, int], None]]:
    """A bar, and the function that moves it: `state` becomes the number of files that are done, and of all."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = [TextColumn("rectifying files"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("")

        def progress(done: int, of: int) -> None:
            state[:] = done, of
            bar.update(task, completed=done, total=of)

        yield progress


def _sentences(applied: "Applied", *, maps: bool) -> Iterator[str]:
    """Everything to say about files without a result, and about results that a user may not expect."""
    from stnkit.experiments.rectification.inputs import left_out

    yield from (f"{row.file}: {row.error}" for row in applied.failed)
    if applied.others:
        yield left_out(applied.others)
    if applied.n_sheared:
        yield (
            f"images of another aspect than the view of the network: {applied.n_sheared:,}; a rotation of the "
            "stretched view shears them, which dataset.fit=pad or crop in the training of a folder avoids"
        )
    if maps and any(row.output for row in applied.rows) and not any(row.map for row in applied.rows):
        yield "--maps wrote no map: the transform has a matrix for each image, which the tables hold"


def _parser() -> Parser:
    parser = Parser(
        prog="stnkit apply",
        description="Straighten images with the transformer of a trained run, at their full resolution: the localizer "
        "sees each at the size it was trained for, and θ holds at any size. theta.csv and theta.json have θ, the "
        "prediction and the matrix in pixels of each. The same command goes on where it was stopped.",
    )
    parser.add_argument("run", metavar="RUN_DIR", type=Path, help="run directory")
    parser.add_argument(
        "inputs", metavar="INPUT", nargs="+", type=Path, help="image, array of images (.npy), or folder of these"
    )
    parser.add_argument("--output", metavar="DIR", required=True, type=Path, help="new or empty folder of the results")
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--size",
        nargs=2,
        type=_whole,
        metavar=("H", "W"),
        help="size of the results, not of volumes; by default that of each image",
    )
    size.add_argument("--scale", type=_number, metavar="FACTOR", help="scale the results by this factor, such as 0.5")
    parser.add_argument(
        "--sampler", metavar="NAME", help="by default the run's; `antialiased` or `area` where images get much smaller"
    )
    parser.add_argument("--padding", metavar="NAME", help="values outside of the image; by default the sampler's own")
    parser.add_argument(
        "--maps", action="store_true", help="write the pixel that each pixel is read from, of transforms without matrix"
    )
    parser.add_argument("--overlay", action="store_true", help="write each image with the grid on it; not of volumes")
    parser.add_argument("--workers", metavar="N", type=_count, help="number of threads; by default one on each core")
    parser.add_argument("--overwrite", action="store_true", help="begin anew in a folder that is not empty")
    parser.add_argument("--root", metavar="DIR", help="folder of the run's dataset, where it has moved")
    return parser


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a whole number, got {text!r}") from None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}") from None


def _count(text: str) -> int:
    if (n := _whole(text)) < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1, got {text!r}")
    return n


def _command(options: argparse.Namespace, metrics: dict[str, Any]) -> dict[str, Any]:
    """The run and the options on which results depend, as plain values."""
    from stnkit.experiments.rectification.apply import weights_of
    from stnkit.experiments.run_directory.checkpoints import kept_checkpoint
    from stnkit.experiments.run_directory.directories import typed_training

    checkpoint = kept_checkpoint(options.run, typed_training(metrics["config"]["training"]).keep)
    names = ("size", "scale", "sampler", "padding", "maps", "overlay")
    chosen = {name: getattr(options, name) for name in names}
    return {"run": str(options.run.resolve()), "weights": weights_of(checkpoint), **chosen}


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
