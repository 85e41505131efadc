"""The table for a terminal, in blocks of columns where the terminal is too narrow for all of them."""

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from stnkit.experiments.report.text_table import TextCell, TextTable
from stnkit.experiments.report.wrapping import narrowest, wrapped

# Blanks between two columns, and at both ends of a line.
GAP, EDGES = 3, 2
# Longer labels are wrapped; the path of a broken record has no bound.
LABEL_WIDTH = 24
STYLES = {"failed": "red", "broken": "red", "interrupted": "yellow", "running": "yellow"}
BEST = "* "


def print_table(table: TextTable, notes: list[str], console: Console) -> None:
    """Print what the runs share, the warnings, the table, and the notes below it.

    Args:
        table: as texts.
        notes: one sentence each.
        console: the output; its width determines the number of columns in a block.
    """
    indent = max((len(name) for name, _ in table.facts), default=0) + 2
    for name, text in table.facts:
        _print(console, f"{name:<{indent}}{text}", "", indent)
    if table.facts:
        console.print()
    for line in (table.caption, *(f"warning: {sentence}" for sentence in table.warnings)):
        _print(console, line, "yellow" if line is not table.caption else "bold")
    if table.rows:
        _print_rows(table, console)
    best = any(cell.best for _, cells in table.rows for cell in cells)
    for note in (*notes, *([f"{BEST.strip()} the best mean of its column: its lead may be noise"] if best else [])):
        _print(console, note, "dim")


def _print_rows(table: TextTable, console: Console) -> None:
    columns = range(len(table.headings))
    values = [max(_cell_width(table, j), *map(cell_len, table.headings[j])) for j in columns]
    labels = _label_widths(table, console.width - EDGES - GAP - max(values))
    if labels is None:  # wrap the headings too
        values = [max(_cell_width(table, j), *map(narrowest, table.headings[j])) for j in columns]
        labels = _label_widths(table, console.width - EDGES - GAP - max(values))
    if labels is None:
        _print_list(table, console)
        return
    for block in _blocks(values, sum(labels) + GAP * (len(labels) - 1) + EDGES, console.width):
        shown = RichTable(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
        for heading, width in zip(table.label_headings, labels, strict=True):
            shown.add_column(_lines(heading, width), width=width, no_wrap=True)
        for j in block:
            shown.add_column(
                _lines("\n".join(table.headings[j]), values[j]), justify="right", width=values[j], no_wrap=True
            )
        for texts, cells in table.rows:
            in_lines = [_lines(text, width) for text, width in zip(texts, labels, strict=True)]
            shown.add_row(*in_lines, *(_styled(cells[j]) for j in block))
        console.print(shown)


def _print_list(table: TextTable, console: Console) -> None:
    """A paragraph for each row, where the labels leave no room for a column."""
    for labels, cells in table.rows:
        pairs = zip(table.label_headings, labels, strict=True)
        console.print()
        _print(console, ", ".join(f"{heading}={text}" if heading else text for heading, text in pairs), "bold")
        for heading, cell in zip(table.headings, cells, strict=True):
            if cell.text:
                mark = BEST if cell.best else ""
                _print(console, f"  {' · '.join(heading)}: {mark}{cell.text}", _style(cell), 4)
                _print(console, f"    {cell.published}" if cell.published else "", "dim", 4)
    console.print()


def _label_widths(table: TextTable, room: int) -> list[int] | None:
    """The widths of the columns of labels, or None where their words do not fit."""
    columns = [(heading, *(labels[i] for labels, _ in table.rows)) for i, heading in enumerate(table.label_headings)]
    widths = [min(LABEL_WIDTH, max(map(cell_len, column))) for column in columns]
    least = [max(map(narrowest, column)) for column in columns]
    widths = [max(width, minimum) for width, minimum in zip(widths, least, strict=True)]
    excess = sum(widths) + GAP * (len(widths) - 1) - room
    while excess > 0:
        i = max(range(len(widths)), key=lambda i: widths[i] - least[i])
        if widths[i] == least[i]:
            return None
        widths[i] -= 1
        excess -= 1
    return widths


def _cell_width(table: TextTable, j: int) -> int:
    cells = [cells[j] for _, cells in table.rows]
    texts = [text for cell in cells for text in (f"{BEST if cell.best else ''}{cell.text}", cell.published)]
    return max(map(cell_len, texts), default=0)


def _blocks(values: list[int], labels: int, width: int) -> list[list[int]]:
    """Indices of the columns that fit beside the labels, at least one in each block."""
    blocks: list[list[int]] = [[]]
    used = labels
    for j, needed in enumerate(values):
        if blocks[-1] and used + GAP + needed > width:
            blocks.append([])
            used = labels
        blocks[-1].append(j)
        used += GAP + needed
    return blocks


def _lines(text: str, width: int) -> Text:
    return Text("\n".join(wrapped(text, width)))


def _style(cell: TextCell) -> str:
    return next((style for word, style in STYLES.items() if word in cell.text), "")


def _styled(cell: TextCell) -> Text:
    text = Text(f"{BEST}{cell.text}", style="bold") if cell.best else Text(cell.text, style=_style(cell))
    if cell.published:
        text.append(f"\n{cell.published}", style="dim not bold")
    return text


def _print(console: Console, text: str, style: str, indent: int = 0) -> None:
    """Print a text whose further lines are indented."""
    if not text:
        return
    first, *rest = wrapped(text, console.width)
    if rest:
        rest = wrapped(text.removeprefix(first).lstrip(), console.width - indent)
    for line in (first, *(" " * indent + line for line in rest)):
        console.print(Text(line, style=style), no_wrap=True, overflow="ignore", crop=False, soft_wrap=True)
