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
        key = runtime + re.sub(r"\d+|/\S+", "#", message)[:90]
        if key not in self._known:
            self._known[key] = (LETTERS[len(self._known)], f"{runtime}: `{shortened(message)}`")
        return self._known[key][0]

    def lines(self) -> list[str]:
        """One for each letter."""
        return [f"- {letter}: {text}" for letter, text in self._known.values()]


def shortened(message: str, limit: int = 200) -> str:
    """One line of at most so many characters, without the characters that end code or a cell."""
    text = message.replace("`", "'").replace("|", "/")
    return text if len(text) <= limit else f"{text[:limit]}…"


def cell(row: dict | None, runtime: str, notes: Notes, batches: tuple[int, ...] = BATCHES) -> str:
    """`=`, the largest difference, or the letter of the reason."""
    if row is None:
        return ""
    found, reasons = row["differences"], row["reasons"]
    letters = ", ".join(dict.fromkeys(notes.letter(runtime, reason) for reason in reasons.values()))
    if not found:
        return f"no: {letters}"
    largest = max(found.values())
    value = "=" if largest < EQUAL else f"**{largest:.2g}**"
    if not reasons:
        return value
    return f"{value} at batch {', '.join(sorted(found))}: {letters}"


def table(folder: Path, title: str, names: dict[str, str], notes: Notes) -> list[str]:
    """A row for each network, by the name that the page gives it."""
    results = {engine: rows(folder, engine) for engine in COLUMNS}
    columns = [engine for engine in COLUMNS if any(name in results[engine] for name in names)]
    lines = [
        f"| {title} | " + " | ".join(COLUMNS[engine] for engine in columns) + " |",
        "|---" * (len(columns) + 1) + "|",
    ]
    for name, shown in names.items():
        cells = [cell(results[engine].get(name), COLUMNS[engine], notes) for engine in columns]
        lines.append(f"| {shown} | " + " | ".join(cells) + " |")
    return lines


def text(folder: Path) -> str:
    """Both tables and the messages, in Markdown."""
    families = {name: name.removesuffix(".bilinear") for name in CASES if name.endswith(".bilinear")}
    del families["affine3d.bilinear"]
    others = {name: name.replace("3d", " of volumes").replace(".", " ") for name in CASES if name not in families}
    notes = Notes()
    tables = [table(folder, "family", dict(sorted(families.items())), notes), table(folder, "network", others, notes)]
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
    publish("runtimes", text(Path(sys.argv[1])), (sys.argv[2:] or [None])[0])
