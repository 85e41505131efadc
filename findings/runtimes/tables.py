"""The tables of docs/deployment.md from the rows of `matrix.py`: `python tables.py FOLDER [PAGE]`."""

import re
import string
import sys
from pathlib import Path

from matrix import rows
from nets import BATCHES, CASES

COLUMNS = {
    "onnxruntime": "ONNX Runtime",
    "web": "onnxruntime-web",
    "openvino": "OpenVINO f32",
    "openvino_default": "OpenVINO default",
    "tract": "tract",
    "mnn": "MNN",
    "ncnn": "ncnn",
    "executorch": "ExecuTorch",
    "aoti": "AOTInductor",
}
EQUAL = 1e-4
# A network without a file.
EXPORT = "torch.onnx.export: "
LETTERS = [*string.ascii_lowercase, *(a + b for a in "ab" for b in string.ascii_lowercase)]


class Notes:
    """The messages of refusals, each with a letter; numbers of nodes do not make another message."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, str]] = {}

    def letter(self, runtime: str, message: str) -> str:
        """The letter of a message."""
        if message.startswith(EXPORT):
            runtime, _, message = message.partition(": ")
        return self._of_text(runtime, shortened(message))

    def _of_text(self, runtime: str, message: str) -> str:
        key = runtime + re.sub(r"\d+|/\S+", "#", message)[:90]
        if key not in self._known:
            self._known[key] = (LETTERS[len(self._known)], f"{runtime}: `{message}`")
        return self._known[key][0]

    def again(self, cell: str, told: dict[str, tuple[str, str]]) -> str:
        """A cell of the page with the letters that its messages have now."""
        value, colon, letters = cell.rpartition(": ")
        found = [self._of_text(*told[letter]) for letter in letters.split(", ")] if colon else []
        return f"{value}: {', '.join(found)}" if colon else cell

    def lines(self) -> list[str]:
        """One for each letter."""
        return [f"- {letter}: {text}" for letter, text in self._known.values()]


def shortened(message: str, limit: int = 200) -> str:
    """One line of at most so many characters, without the characters that end code or a cell."""
    text = message.replace("`", "'").replace("|", "/")
    return text if len(text) <= limit else f"{text[:limit]}…"


def cell(row: dict, runtime: str, notes: Notes, batches: tuple[int, ...] = BATCHES) -> str:
    """`=`, the largest difference, or the letter of the reason."""
    found, reasons = row["differences"], row["reasons"]
    letters = ", ".join(dict.fromkeys(notes.letter(runtime, reason) for reason in reasons.values()))
    if not found:
        return f"no: {letters}"
    largest = max(found.values())
    value = "=" if largest < EQUAL else f"**{largest:.2g}**"
    if not reasons:
        return value
    return f"{value} at batch {', '.join(sorted(found))}: {letters}"


def published(page: str, title: str) -> dict[tuple[str, str], str]:
    """The cells of a table of the page, by network and runtime."""
    lines = page.partition(f"| {title} |")[2].partition("\n\n")[0].splitlines()
    header, _, *body = [[entry.strip() for entry in line.strip("|").split("|")] for line in lines] or [[], []]
    header = [entry for entry in header if entry]
    return {(row[0], column): entry for row in body for column, entry in zip(header, row[1:], strict=True)}


def messages(page: str) -> dict[str, tuple[str, str]]:
    """The runtime and the message of each letter of the page."""
    found = re.finditer(r"^- ([a-z]+): (.+?): `(.+)`$", page, re.MULTILINE)
    return {match[1]: (match[2], match[3]) for match in found}


def table(folder: Path, title: str, names: dict[str, str], notes: Notes, page: str) -> list[str]:
    """A row for each network, by the name that the page gives it; what was not run here is the page's."""
    results = {engine: rows(folder, engine) for engine in COLUMNS}
    known, told = published(page, title), messages(page)

    def shown_cell(name: str, shown: str, engine: str) -> str:
        if name in results[engine]:
            return cell(results[engine][name], COLUMNS[engine], notes)
        return notes.again(known.get((shown, COLUMNS[engine]), ""), told)

    columns = [
        engine
        for engine in COLUMNS
        if any(name in results[engine] or (shown, COLUMNS[engine]) in known for name, shown in names.items())
    ]
    lines = [
        f"| {title} | " + " | ".join(COLUMNS[engine] for engine in columns) + " |",
        "|---" * (len(columns) + 1) + "|",
    ]
    for name, shown in names.items():
        cells = [shown_cell(name, shown, engine) for engine in columns]
        lines.append(f"| {shown} | " + " | ".join(cells) + " |")
    return lines


def text(folder: Path, page: str = "") -> str:
    """Both tables and the messages, in Markdown."""
    families = {name: name.removesuffix(".bilinear") for name in CASES if name.endswith(".bilinear")}
    del families["affine3d.bilinear"]
    others = {name: name.replace("3d", " of volumes").replace(".", " ") for name in CASES if name not in families}
    notes = Notes()
    titles = {"family": dict(sorted(families.items())), "network": others}
    tables = [table(folder, title, names, notes, page) for title, names in titles.items()]
    return "\n\n".join(["\n".join(lines) for lines in [*tables, notes.lines()]])


def publish(marker: str, text: str, page: str | None) -> None:
    """Print a text, and put it between the markers of a page."""
    print(text)
    if page:
        path = Path(page)
        before, _, rest = path.read_text().partition(f"<!-- {marker} -->\n")
        behind = rest.partition(f"<!-- end of {marker} -->\n")[2]
        path.write_text(f"{before}<!-- {marker} -->\n\n{text}\n\n<!-- end of {marker} -->\n{behind}")


if __name__ == "__main__":
    page = (sys.argv[2:] or [None])[0]
    publish("runtimes", text(Path(sys.argv[1]), Path(page).read_text() if page else ""), page)
