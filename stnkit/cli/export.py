"""`stnkit export RUN --output FILE`: a trained run as a file for other programs; `--check FILE` runs it in them."""

import argparse
import json
from pathlib import Path

from rich import box
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from stnkit.cli.parser import Parser
from stnkit.errors import InputError
from stnkit.exporting.formats import FORMATS
from stnkit.exporting.runtimes import RUNTIMES


def main(arguments: list[str]) -> int:
    """Export a run, or check a file that was exported.

    Args:
        arguments: those after the command.

    Raises:
        InputError: when options are missing or do not go together.
    """
    options = _parser().parse(arguments)
    exporting = {name: getattr(options, name) for name in ("output", "part", "opset", "to")}
    exporting |= {name: getattr(options, name) or None for name in ("half", "theta", "warped", "reference")}
    given = [name for name, value in exporting.items() if value is not None]
    if options.check is None:
        if options.runtime is not None:
            raise InputError("--runtime: expected --check FILE beside it, got none")
        if options.run is None or options.output is None:
            neither = options.run is None and options.output is None
            missing = "neither" if neither else "no run" if options.run is None else "no --output"
            raise InputError(f"expected a run directory and --output FILE, or --check FILE, got {missing}")
        return _export(options)
    if given:
        raise InputError(f"--check: expected a file and perhaps its run, got --{given[0]} too")
    return _check(options)


def _parser() -> Parser:
    parser = Parser(
        prog="stnkit export",
        description="Export the network of a run, or its transformer, as a file for other programs, for batches of any "
        "size. The file is compared with the network on test images, and removed where it differs. With --check, run "
        "an ONNX file that was exported in the runtimes that are installed.",
    )
    parser.add_argument("run", metavar="RUN", type=Path, nargs="?", help="run directory")
    parser.add_argument("--to", metavar="FORMAT", help=f"{', '.join(FORMATS)} (default: torch for FILE.pt2, else onnx)")
    parser.add_argument("--output", metavar="FILE", type=Path, help="the new file")
    parser.add_argument("--part", choices=("network", "transformer"), help="default: network, where the run has one")
    parser.add_argument("--warped", action="store_true", help="return the warped image of a network too")
    parser.add_argument("--theta", action="store_true", help="return θ too")
    parser.add_argument(
        "--opset", metavar="N", type=int, help="version of ONNX's operators, at least 16 (default: 18; 20 for volumes)"
    )
    parser.add_argument("--half", action="store_true", help="weights and images in float16; θ stays in float32")
    parser.add_argument("--reference", action="store_true", help="write FILE.reference.npz, to check FILE elsewhere")
    parser.add_argument("--tolerance", metavar="X", type=_tolerance, help="default: 1e-4, with --half 1e-2")
    parser.add_argument("--check", metavar="FILE", type=Path, help="check an ONNX file, with RUN or its reference")
    parser.add_argument(
        "--runtime", metavar="NAME,…", help=f"some of {', '.join(RUNTIMES)} (default: those that are installed)"
    )
    parser.add_argument("--root", metavar="DIR", help="folder of the run's dataset, where it has moved")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _dataset(options: argparse.Namespace) -> dict[str, str] | None:
    return None if options.root is None else {"root": options.root}


def _tolerance(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return value


def _export(options: argparse.Namespace) -> int:
    from stnkit.experiments.exported_run import export_run
    from stnkit.exporting.reference import BATCHES

    exported = export_run(
        options.run,
        options.output,
        options.part,
        _dataset(options),
        to=options.to,
        warped=options.warped,
        theta=options.theta,
        opset=options.opset,
        half=options.half,
        tolerance=options.tolerance,
        reference=options.reference,
    )
    if options.json:
        told = vars(exported) | {"path": str(exported.path)}
        print(json.dumps(told, indent=2))
        return 0
    opset = f", opset {exported.opset}" if exported.opset else ""
    print(f"{exported.path}: {exported.format}{opset}, {decimal(exported.path.stat().st_size)}")
    table = Table("output", "shape", "largest difference", box=box.SIMPLE_HEAD)
    if exported.rounding:
        table.add_column("from float32")
    for name, difference in exported.differences.items():
        shape = exported.outputs.get(name)
        rounded = [f"{exported.rounding[name]:.1e}"] if name in exported.rounding else []
        table.add_row(name, str(("B", *shape)).replace("'", "") if shape else "hidden", f"{difference:.1e}", *rounded)
    Console().print(table)
    batches = f"{', '.join(map(str, BATCHES[:-1]))} and {BATCHES[-1]}"
    print(f"compared with the network on {sum(BATCHES)} test images, in batches of {batches}, in {exported.runtime}")
    for note in exported.notes:
        print(f"note: {note}")
    return 0


def _check(options: argparse.Namespace) -> int:
    from stnkit.cli.export_check import check_file

    runtimes = None if options.runtime is None else [name.strip() for name in options.runtime.split(",")]
    dataset = _dataset(options)
    return check_file(options.check, options.run, runtimes, options.tolerance, dataset, as_json=options.json)
