"""`stnkit evaluate RUN`: the test figures of a trained run again, or on other data."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra.errors import HydraException
from rich import box
from rich.console import Console
from rich.table import Table

from stnkit.cli.hydra_internals import parse_assignment
from stnkit.cli.parser import Parser
from stnkit.errors import InputError
from stnkit.experiments.evaluation import OPTIONS, Evaluation, evaluate
from stnkit.experiments.report.quantities import Quantity, quantity, with_unit
from stnkit.experiments.run_directory.record import record_as_json
from stnkit.experiments.run_directory.recorded_figures import recorded_figures

ABSENT = "-"


def main(arguments: list[str]) -> int:
    """Evaluate a run, print a table or JSON, and write nothing.

    Args:
        arguments: those after the command.
    """
    parser = Parser(
        prog="stnkit evaluate",
        description="The test figures of a trained run again, or on another dataset or distortion. Nothing is written.",
    )
    parser.add_argument("run", metavar="RUN", type=Path, help="run directory")
    parser.add_argument(
        "overrides",
        metavar="KEY=VALUE",
        nargs="*",
        help="option of the dataset or the distortion, such as distortion.degrees=90, or another one by its name; "
        f"or {' or '.join(OPTIONS)}",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse(arguments)
    found = evaluate(options.run, [_parsed(word) for word in options.overrides])
    if options.json:
        print(json.dumps(record_as_json(evaluation_record(options.run, options.overrides, found)), indent=2))
    else:
        print(_heading(options.run, options.overrides, found))
        _print_table(found)
    return 0


def evaluation_record(run_dir: Path, overrides: list[str], found: Evaluation) -> dict[str, Any]:
    """The figures as plain values, with all that they depend on.

    Args:
        run_dir: of the run.
        overrides: of the command line.
        found: the evaluation.
    """
    config = {key: found.config[key] for key in ("dataset", "distortion")}
    return {"run": str(run_dir), "overrides": overrides, "config": config, **found.figures}


def _parsed(word: str) -> tuple[str, Any]:
    try:
        return parse_assignment(word)
    except (HydraException, ValueError) as error:
        raise InputError(f"{word}: expected KEY=VALUE with one value, such as distortion.degrees=90") from error


def _heading(run_dir: Path, overrides: list[str], found: Evaluation) -> str:
    names = {key: found.config[key]["name"] for key in ("dataset", "distortion")}
    changed = f"changed: {' '.join(overrides)}" if overrides else "nothing changed"
    return f"{run_dir} on the test images of {names['dataset']}, distortion {names['distortion']}; {changed}"


def _print_table(found: Evaluation) -> None:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("figure", no_wrap=True)
    table.add_column("recorded", justify="right", no_wrap=True)
    table.add_column("evaluated", justify="right", no_wrap=True)
    figures = recorded_figures(found.recorded)
    for name, value in _numbers(found.figures).items():
        kind = quantity(name, figures)
        table.add_row(with_unit(name, kind), _text(found.recorded.get(name), kind), _text(value, kind))
    by_reason: dict[str, list[str]] = {}
    for name, reason in found.figures.get("undefined", {}).items():
        table.add_row(with_unit(name), _text(found.recorded.get(name), quantity(name)), ABSENT)
        by_reason.setdefault(reason, []).append(name)
    Console().print(table)
    for reason, names in by_reason.items():
        print(f"{ABSENT} {', '.join(names)}: {reason}")


def _numbers(figures: Mapping[str, Any]) -> dict[str, float]:
    return {name: value for name, value in figures.items() if isinstance(value, float)}


def _text(value: Any, kind: Quantity) -> str:
    if not isinstance(value, int | float):
        return ABSENT
    return f"{value * kind.factor if abs(value) >= kind.resolution else 0.0:.4f}"
