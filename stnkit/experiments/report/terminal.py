"""The table for a terminal, in blocks of columns where the terminal is too narrow for all of them."""

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from stnkit.experiments.report.text_table import TextCell, TextTable

PADDING = 2
# Longer labels are folded; the path of a broken record has no bound.
LABEL_WIDTH = 32
STYLES = {"failed": "red", "broken": "red", "interrupted": "yellow", "running": "yellow"}


def print_table(table: TextTable, notes: list[str], console: Console) -> None:
    """Print the table, and the notes below it.

    Args:
        table: as texts.
        notes: one sentence each.
        console: the output; its width determines the number of columns in a block.
    """
    for block in _blocks(table, console.width):
        shown = RichTable(box=box.SIMPLE_HEAD, padding=(0, PADDING // 2), pad_edge=False)
        for heading in table.label_headings:
            shown.add_column(Text(heading), overflow="fold", max_width=LABEL_WIDTH)
        for j in block:
            shown.add_column(Text("\n".join(table.headings[j])), justify="right", overflow="fold")
        for labels, cells in table.rows:
            shown.add_row(*map(Text, labels), *(_styled(cells[j]) for j in block))
        console.print(shown)
    for note in notes:
        # Not wrapped in a pipe, so that a program reads whole lines.
        console.print(Text(note), style="dim", soft_wrap=not console.is_terminal)


def _blocks(table: TextTable, width: int) -> list[list[int]]:
    """Indices of the columns that fit beside the labels, at least one in each block."""
    labels = sum(
        PADDING + min(LABEL_WIDTH, max(cell_len(text) for text in (heading, *(row[0][i] for row in table.rows))))
        for i, heading in enumerate(table.label_headings)
    )
    blocks: list[list[int]] = [[]]
    used = labels
    for j, heading in enumerate(table.headings):
        cells = [cells[j] for _, cells in table.rows]
        texts = (*heading, *(text for cell in cells for text in (cell.text, cell.published)))
        needed = PADDING + max(map(cell_len, texts))
        if blocks[-1] and used + needed > width:
            blocks.append([])
            used = labels
        blocks[-1].append(j)
        used += needed
    return blocks


def _styled(cell: TextCell) -> Text:
    style = next((style for word, style in STYLES.items() if word in cell.text), "")
    text = Text(cell.text, style=style)
    if cell.published:
        text.append(f"\n{cell.published}", style="dim")
    return text
