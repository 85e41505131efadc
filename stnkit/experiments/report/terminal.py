"""The table for a terminal, in blocks of columns where it is too narrow for all."""

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from stnkit.experiments.report.text_table import Entry, Grid

PADDING = 2
# A longer label is folded: the directory of a broken record can be of any length.
LABEL_WIDTH = 32
STYLES = {"failed": "red", "broken": "red", "interrupted": "yellow", "running": "yellow"}


def print_table(grid: Grid, told: list[str], console: Console) -> None:
    """Print the grid, and below it the notes.

    Args:
        grid: the table as texts.
        told: the notes.
        console: where to; its width decides how many columns stand beside each other.
    """
    for block in _blocks(grid, console.width):
        shown = RichTable(box=box.SIMPLE_HEAD, padding=(0, PADDING // 2), pad_edge=False)
        for head in grid.heads:
            shown.add_column(Text(head), overflow="fold", max_width=LABEL_WIDTH)
        for j in block:
            shown.add_column(Text("\n".join(grid.columns[j])), justify="right", overflow="fold")
        for labels, entries in grid.rows:
            shown.add_row(*map(Text, labels), *(_styled(entries[j]) for j in block))
        console.print(shown)
    for note in told:
        # Whole lines where a program reads them.
        console.print(Text(note), style="dim", soft_wrap=not console.is_terminal)


def _blocks(grid: Grid, width: int) -> list[list[int]]:
    """Columns that fit beside the labels, at least one in each block."""
    labels = sum(
        PADDING + min(LABEL_WIDTH, max(cell_len(text) for text in (head, *(row[0][i] for row in grid.rows))))
        for i, head in enumerate(grid.heads)
    )
    blocks: list[list[int]] = [[]]
    used = labels
    for j, head in enumerate(grid.columns):
        needed = PADDING + max(
            cell_len(text) for text in (*head, *(t for row in grid.rows for t in (row[1][j].text, row[1][j].beside)))
        )
        if blocks[-1] and used + needed > width:
            blocks.append([])
            used = labels
        blocks[-1].append(j)
        used += needed
    return blocks


def _styled(entry: Entry) -> Text:
    style = next((style for word, style in STYLES.items() if word in entry.text), "")
    text = Text(entry.text, style=style)
    if entry.beside:
        text.append(f"\n{entry.beside}", style="dim")
    return text
