"""`stnkit cache`: list the packed images on this machine, or remove them."""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from stnkit.cli.parser import Parser
from stnkit.errors import InputError
from stnkit.packing.cache_folder import VARIABLE, Entry, cache_folder, entries, remove

COLUMNS = ("key", "images", "shape", "size", "last use", "from")
_DAY = 86_400


def main(arguments: list[str]) -> int:
    """List the cache folder, or remove some of it.

    Args:
        arguments: those after the command.

    Raises:
        InputError: when a key is that of no pack, of several, or of one that is being written.
    """
    options = _parser().parse(arguments)
    folder = cache_folder(options.cache)
    found = entries(folder)
    if options.action == "clear":
        return _clear(options, found, folder)
    if options.keys or options.all or options.older_than is not None:
        raise InputError("keys, --all and --older-than are for `stnkit cache clear`")
    if options.json:
        print(json.dumps({"folder": str(folder), "entries": [_as_json(entry) for entry in found]}, indent=2))
    else:
        _print(found, folder)
    return 0


def _parser() -> Parser:
    parser = Parser(
        prog="stnkit cache",
        description=f"List the images that runs have packed, or remove them: a run that needs them packs them "
        f"again. The folder is that of --cache, or ${VARIABLE}, or the user's cache folder.",
    )
    parser.add_argument("action", nargs="?", choices=("list", "clear"), default="list", help="default: list")
    parser.add_argument("keys", nargs="*", metavar="KEY", help="keys to clear, or their first characters")
    parser.add_argument("--all", action="store_true", help="clear all, and the remains of killed runs")
    parser.add_argument("--older-than", metavar="DAYS", type=_days, help="clear those last used before that many days")
    parser.add_argument("--cache", metavar="DIR", help="the dataset.cache of the runs")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = -1
    if not 0 <= days < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number of days of at least 0, got {text!r}")
    return days


def _clear(options: argparse.Namespace, found: list[Entry], folder: Path) -> int:
    if not (options.keys or options.all or options.older_than is not None):
        raise InputError("expected the keys to clear, --older-than DAYS or --all")
    chosen = [entry for entry in found if options.all or _is_old(entry, options.older_than)]
    for key in options.keys:
        matching = [entry for entry in found if entry.path.name.startswith(key)]
        if not matching:
            raise InputError(f"no pack in {folder} has a key that begins with {key!r}")
        if len({entry.key for entry in matching}) != 1:
            raise InputError(f"expected the key of one pack in {folder}, got {key!r}, that of {len(matching)}")
        if any(entry.busy for entry in matching):
            raise InputError(f"{key} is being written by another process")
        chosen += [entry for entry in matching if entry not in chosen]
    n_removed, n_bytes = 0, 0
    for entry in chosen:
        size = entry.n_bytes
        if not entry.busy and remove(entry):
            n_removed += 1
            n_bytes += size
    print(f"removed {n_removed} of {len(found)}, {decimal(n_bytes)}, from {folder}")
    if n_removed < len(chosen):
        print(f"stnkit cache: {len(chosen) - n_removed} left, being written by another process", file=sys.stderr)
    return 0


def _is_old(entry: Entry, days: float | None) -> bool:
    return days is not None and time.time() - entry.used >= days * _DAY


def _as_json(entry: Entry) -> dict[str, Any]:
    index = entry.index
    return {
        "key": entry.key,
        "path": str(entry.path),
        "state": _state(entry) or "packed",
        "root": index.root if index else None,
        "images": index.n_images if index else None,
        "shape": index.shape if index else None,
        "bytes": entry.n_bytes,
        "last_use": entry.used,
    }


def _state(entry: Entry) -> str:
    """The state of an entry that is not a whole pack, or ""."""
    if entry.index is not None:
        return ""
    return "being written" if entry.busy else "unfinished"


def _row(entry: Entry) -> tuple[str, ...]:
    index = entry.index
    described = (f"{index.n_images:,}", "×".join(map(str, index.shape))) if index else ("", "")
    return (
        entry.key[:12],
        *described,
        decimal(entry.n_bytes),
        _ago(entry.used),
        index.root if index else _state(entry),
    )


def _print(found: list[Entry], folder: Path) -> None:
    console = Console()
    rows = [_row(entry) for entry in found]
    if console.is_terminal and rows:
        table = Table(*COLUMNS, box=box.SIMPLE_HEAD)
        for row in rows:
            table.add_row(*row)
        console.print(table, markup=False)
    else:
        for row in rows:
            print("\t".join(row))
    total = decimal(sum(entry.n_bytes for entry in found))
    print(f"{len(found)} in {folder}, {total}" if found else f"nothing in {folder}")


def _ago(moment: float) -> str:
    seconds = max(0.0, time.time() - moment)
    for unit, length in (("days", _DAY), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit} ago"
    return "now"
