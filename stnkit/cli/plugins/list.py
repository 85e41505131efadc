"""`stnkit plugins list`: the installed components with their distributions, broken plugins, and the native warp."""

import dataclasses
import json
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stnkit.cli.parser import Parser
from stnkit.native import status
from stnkit.plugin_system import KINDS, Broken, Registered, Registry, kind_named, plugin_registry

# Width of a terminal, in characters, from which the whole provenance fits beside the summary.
WIDE = 160


def main(arguments: list[str]) -> int:
    """Print a table, or JSON for programs.

    Args:
        arguments: those after the subcommand.

    Raises:
        InputError: when there is no such kind.
    """
    parser = Parser(prog="stnkit plugins list", description=__doc__)
    parser.add_argument("kind", nargs="?", metavar="KIND", help=f"only this kind: {', '.join(KINDS)}")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse(arguments)
    found = plugin_registry()
    if options.kind is not None:
        found = _of_kind(found, kind_named(options.kind).name)
    if options.json:
        print(json.dumps(as_json(found), indent=2))
    else:
        _print_table(found)
    return 0


def as_json(found: Registry) -> dict[str, Any]:
    """Components, broken plugins and the state of the native warp as plain values.

    Args:
        found: the registry.
    """
    components: list[dict[str, str | bool]] = [
        {
            "kind": entry.kind,
            "name": entry.name,
            "distribution": entry.source.distribution,
            "version": entry.source.version,
            "module": entry.source.module,
            "summary": entry.component.summary,
            "clashes": _clashes(entry, found),
        }
        for entry in found.registered
    ]
    broken: list[dict[str, str | bool]] = [
        {
            "entry_point": broken.source.entry_point,
            "distribution": broken.source.distribution,
            "version": broken.source.version,
            "module": broken.source.module,
            "reason": broken.reason,
        }
        for broken in found.broken
    ]
    return {"components": components, "broken": broken, "native": dataclasses.asdict(status())}


def _of_kind(found: Registry, kind: str) -> Registry:
    """The components of a kind, and the broken plugins that may have held some."""

    def concerns(broken: Broken) -> bool:
        prefix = broken.source.entry_point.partition(".")[0]
        return prefix == kind or prefix not in KINDS

    registered = [entry for entry in found.registered if entry.kind == kind]
    broken = [broken for broken in found.broken if concerns(broken)]
    return Registry(registered=registered, broken=broken, conflicts=found.conflicts)


def _clashes(entry: Registered, found: Registry) -> bool:
    return (entry.kind, entry.name) in found.conflicts


def _print_table(found: Registry) -> None:
    console = Console()
    if not console.is_terminal:
        _print_lines(found)
        return
    whole = console.width >= WIDE
    console.print(_table(found, console.width, whole))
    for broken in found.broken:
        # Below the table, because a reason is too long for a column.
        line = f"broken {broken.source.entry_point} of {broken.source}: {broken.reason}"
        console.print(line, style="red", markup=False, highlight=False)
    console.print(str(status()), style="dim", markup=False, highlight=False)
    if not whole:
        console.print("`stnkit plugins show KIND NAME` shows the whole component.", style="dim", highlight=False)


def _table(found: Registry, width: int, whole: bool) -> Table:
    """The table for a terminal: each kind is named once, and summaries are cut to the width.

    Args:
        found: the registry.
        width: of the terminal, in characters.
        whole: show the version and the module after each distribution.
    """
    table = Table(box=box.SIMPLE_HEAD)
    sources = [str(entry.source) if whole else entry.source.distribution for entry in found.registered]
    names = [entry.name + (" (clash)" if _clashes(entry, found) else "") for entry in found.registered]
    fixed = {"kind": list(KINDS), "name": names, "from": sources}
    widths = {heading: max(map(len, [heading, *texts])) for heading, texts in fixed.items()}
    # Rich adds a blank on both sides of a cell, between columns and at both edges.
    widths["what it is"] = max(20, width - sum(widths.values()) - 4 * 2 - 3 - 2)
    for heading in ("kind", "name", "what it is", "from"):
        table.add_column(heading, no_wrap=True, width=widths[heading], overflow="ellipsis")
    shown = ""
    for entry, name, source in zip(found.registered, names, sources, strict=True):
        if shown and entry.kind != shown:
            table.add_row()
        kind = "" if entry.kind == shown else entry.kind
        shown = entry.kind
        style = "red" if _clashes(entry, found) else ""
        table.add_row(kind, Text(name, style=style), Text(entry.component.summary), source)
    return table


def _print_lines(found: Registry) -> None:
    """The table for programs: one line for each component and broken plugin, as for `grep`, and the native warp's."""
    rows = [("kind", "name", "what it is", "from")]
    for entry in found.registered:
        name = entry.name + (" (clash)" if _clashes(entry, found) else "")
        rows.append((entry.kind, name, entry.component.summary, str(entry.source)))
    rows += [("broken", b.source.entry_point, b.reason, str(b.source)) for b in found.broken]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for *cells, last in rows:
        print("  ".join([*(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)), last]))
    print(status())
