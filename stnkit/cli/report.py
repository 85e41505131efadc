"""`stnkit report DIR [DIR ...]`: one table of any number of runs, finished or not."""

import argparse
import io
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from stnkit.cli.parser import Parser
from stnkit.errors import InputError
from stnkit.experiments.report import formats
from stnkit.experiments.report.curves import check_curve_file, write_curves
from stnkit.experiments.report.notes import notes
from stnkit.experiments.report.published_results import PUBLISHED, Comparison, compare, load_published
from stnkit.experiments.report.runs import find_jobs_not_begun, find_runs
from stnkit.experiments.report.table import Table, make_table
from stnkit.experiments.report.terminal import print_table
from stnkit.experiments.report.text_table import make_text_table
from stnkit.files.atomic import write_atomically

NO_BREAKS = 100_000
FORMATS = ("terminal", "markdown", "csv", "json")


def main(arguments: list[str]) -> int:
    """Read the runs, print or write the table, and write the page.

    Args:
        arguments: those after the command.
    """
    options = _parser().parse(arguments)
    for option in ("output", "html", "curves"):
        _check_folder(option, getattr(options, option))
    if options.curves is not None:
        check_curve_file(options.curves)
    if options.dataset and options.html is None:
        raise InputError("--dataset: expected --html FILE too, since only a page has pictures")
    not_begun = find_jobs_not_begun(options.directories)
    runs = find_runs(options.directories, lambda paths: _progress(paths, "reading runs"), none_begun=bool(not_begun))
    table = make_table(runs, options.rows, options.columns, options.value, not_begun)
    if options.dataset:
        from stnkit.experiments.report.dataset_options import check_options, parsed_options  # imports PyTorch

        check_options(table.runs, parsed_options(options.dataset))
    comparison = compare(table, load_published(options.against)) if options.against else None
    all_notes = notes(table) + (comparison.notes if comparison else [])
    _write_table(options, table, comparison, all_notes)
    if options.curves is not None:
        write_curves(table, options.curves)
        print(f"curves  {options.curves}", file=sys.stderr)
    if options.html is not None:
        from stnkit.experiments.report.page import make_page  # imports PyTorch and matplotlib

        page = make_page(table, comparison, all_notes, options.dataset, lambda cells: _progress(cells, "drawing cells"))
        write_atomically(options.html, page)
        print(f"page  {options.html}", file=sys.stderr)
    return 0


def _parser() -> Parser:
    parser = Parser(
        prog="stnkit report",
        description="One table of any number of runs, finished or not. Its rows and columns are the config keys in "
        "which the runs differ; a cell is mean ± standard deviation over the seeds. KEYS are config keys, separated by "
        "commas, such as transform,placement,training.epochs.",
    )
    parser.add_argument(
        "directories",
        metavar="DIR",
        nargs="+",
        type=Path,
        help="directory of a run or a sweep, or a folder above",
    )
    parser.add_argument("--rows", metavar="KEYS", type=_names, help="config keys for the rows")
    parser.add_argument("--columns", metavar="KEYS", type=_names, help="config keys for the columns; '' for none")
    parser.add_argument(
        "--value",
        metavar="METRICS",
        type=_metrics,
        action="extend",
        help="values to show, by their names in metrics.json, such as test_error,seconds or history.0.train_loss "
        "(default: the primary figure of the objective in the test, test_error for classification)",
    )
    parser.add_argument("--against", metavar="NAME", help=f"published results to compare with: {', '.join(PUBLISHED)}")
    parser.add_argument("--format", choices=FORMATS, default="terminal", help="format of the table (default: terminal)")
    parser.add_argument("--output", metavar="FILE", type=Path, help="write the table to FILE instead of printing it")
    parser.add_argument(
        "--html", metavar="FILE", type=Path, help="write an HTML page with the table, learning curves and pictures"
    )
    parser.add_argument(
        "--curves", metavar="FILE", type=Path, help="write the learning curves to FILE, an .svg, .pdf or .png"
    )
    parser.add_argument(
        "--dataset",
        metavar="OPTION=VALUE",
        type=_option,
        action="append",
        default=[],
        help="option of the dataset for the pictures, where it differs from the runs', such as root=data/mnist",
    )
    return parser


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _metrics(text: str) -> list[str]:
    if not (names := _names(text)):
        raise argparse.ArgumentTypeError(f"expected one or more names, got {text!r}")
    return names


def _option(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"expected OPTION=VALUE, got {text!r}")
    return name, value


def _check_folder(option: str, path: Path | None) -> None:
    # Checked before the runs are read and drawn, which takes minutes.
    if path is not None and not path.parent.is_dir():
        raise InputError(f"--{option} {path}: there is no folder {path.parent}")
    if path is not None and path.is_dir():
        raise InputError(f"--{option}: expected a file, got the folder {path}")


def _write_table(
    options: argparse.Namespace, table: Table, comparison: Comparison | None, all_notes: list[str]
) -> None:
    if options.format == "terminal" and options.output is None:
        print_table(make_text_table(table, comparison), all_notes, _console())
        return
    if options.format == "terminal":
        file = io.StringIO()
        print_table(make_text_table(table, comparison), all_notes, _console(file))
        text = file.getvalue()
    elif options.format == "markdown":
        text = formats.as_markdown(make_text_table(table, comparison), all_notes)
    elif options.format == "csv":
        text = formats.as_csv(table, comparison)
    else:
        text = formats.as_json(table, all_notes, comparison)
    if options.output is None:
        print(text, end="")
    else:
        write_atomically(options.output, text)


def _console(file: io.StringIO | None = None) -> Console:
    """A console as wide as the terminal, or as COLUMNS; in a pipe or a file no line is broken."""
    console = Console(file=file)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = NO_BREAKS
    return console


def _progress(sequence: Sequence[Any], description: str) -> Iterable[Any]:
    console = Console(stderr=True)
    return track(sequence, description, console=console, transient=True, disable=not console.is_terminal)
