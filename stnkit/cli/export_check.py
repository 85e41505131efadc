"""`stnkit export --check FILE`: a table of what each runtime makes of a file."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from stnkit.errors import InputError, NotInstalledError
from stnkit.exporting.check import Found, check, check_runtimes, installed_runtimes
from stnkit.exporting.export import REFERENCE_SUFFIX
from stnkit.exporting.onnx_file import OnnxFile
from stnkit.exporting.reference import Reference, read_reference

_DIFFERS = 1


def check_file(
    path: Path,
    run_dir: Path | None,
    runtimes: Sequence[str] | None,
    tolerance: float | None,
    dataset: Mapping[str, Any] | None = None,
    *,
    as_json: bool,
) -> int:
    """Run a file in runtimes, print a table or JSON, and return 1 if one of them refuses it or computes other values.

    Args:
        path: of an ONNX file that was exported.
        run_dir: of the run that it was exported from; None for its reference, or the run that it names.
        runtimes: their names; None for those that are installed.
        tolerance: the largest difference; None for the default.
        dataset: options of the run's dataset that differ on this machine.
        as_json: True to print JSON.

    Raises:
        InputError: when the file is no such file, there is nothing to compare with, or a runtime is unknown.
        NotInstalledError: when a runtime is not installed.
    """
    names = list(dict.fromkeys(runtimes or ())) or installed_runtimes()
    check_runtimes(names)
    if not names:
        raise NotInstalledError("expected a runtime that is installed, got none: pip install 'stnkit[export]'")
    file = OnnxFile(path)
    reference, origin = _reference(file, run_dir, dataset)
    limit = reference.tolerance if tolerance is None else tolerance
    found = check(file, reference, names)
    if as_json:
        print(json.dumps([_as_json(each, limit) for each in found], indent=2))
    else:
        _print(path, origin, found, limit)
    return 0 if all(each.agrees(limit) for each in found if not each.setting) else _DIFFERS


def _reference(file: OnnxFile, run_dir: Path | None, dataset: Mapping[str, Any] | None) -> tuple[Reference, Path]:
    beside = file.path.with_name(file.path.name + REFERENCE_SUFFIX)
    if run_dir is None and beside.is_file():
        return read_reference(beside), beside
    recorded = Path(file.metadata["run"]) if "run" in file.metadata else None
    chosen = run_dir or (recorded if recorded is not None and recorded.is_dir() else None)
    if chosen is None:
        raise InputError(
            f"{file.path}: expected its run directory or {beside.name}, which --reference writes, beside it, got none"
        )
    from stnkit.experiments.exported_run import reference_of_run

    return reference_of_run(chosen, file.metadata, dataset), chosen


def _as_json(found: Found, limit: float) -> dict[str, object]:
    finite = {name: value if math.isfinite(value) else None for name, value in found.differences.items()}
    return vars(found) | {"differences": finite, "equal": found.agrees(limit)}


def _print(path: Path, origin: Path, found: list[Found], limit: float) -> None:
    outputs = list(dict.fromkeys(name for each in found for name in each.differences))
    table = Table("runtime", "version", *outputs, "result", box=box.SIMPLE_HEAD)
    for each in found:
        name = f"{each.runtime} ({each.setting})" if each.setting else each.runtime
        values = [f"{each.differences[output]:.1e}" if output in each.differences else "-" for output in outputs]
        result = "refused" if each.refusal else "equal" if each.agrees(limit) else "differs"
        table.add_row(name, each.version, *values, result)
    print(f"{path}: the largest differences from {origin}, equal up to {limit:g}")
    Console().print(table, markup=False)
    for each in found:
        if each.refusal:
            print(f"{each.runtime} refuses the file: {each.refusal}")
    if any(each.setting and not each.agrees(limit) for each in found):
        print("note: OpenVINO computes in bfloat16 by default here: set INFERENCE_PRECISION_HINT to f32")
