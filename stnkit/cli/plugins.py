"""`stnkit plugins`: what is installed, where it comes from, and what is broken."""

import argparse
import json

from stnkit.registry import Registry, registry


def main(arguments: list[str]) -> int:
    """Print a table, or JSON for programs.

    Args:
        arguments: what stands after the verb.
    """
    parser = argparse.ArgumentParser(prog="stnkit plugins", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    found = registry()
    if options.json:
        print(json.dumps(as_json(found), indent=2))
    else:
        _print_table(found)
    return 0


def as_json(found: Registry) -> dict[str, list[dict[str, str | bool]]]:
    """Components and broken plugins as plain values.

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
            "clashes": len(found.providers(entry.kind, entry.name)) > 1,
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
    return {"components": components, "broken": broken}


def _print_table(found: Registry) -> None:
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    # As wide as it needs to be where nobody looks at it: `stnkit plugins | grep tps`.
    console = Console()
    if not console.is_terminal:
        console = Console(width=200)
    table = Table("kind", "name", "from", "what it is", box=box.SIMPLE_HEAD)
    for entry in found.registered:
        source = f"{entry.source.distribution} {entry.source.version} ({entry.source.module})"
        clash = " [red](clash)[/red]" if len(found.providers(entry.kind, entry.name)) > 1 else ""
        table.add_row(entry.kind, escape(entry.name) + clash, escape(source), escape(entry.component.summary))
    for broken in found.broken:
        source = f"{broken.source.distribution} {broken.source.version} ({broken.source.module})"
        table.add_row("[red]broken[/red]", escape(broken.source.entry_point), escape(source), escape(broken.reason))
    console.print(table)
