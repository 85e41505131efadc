"""docs/deployment.md has a row for every family, and a reason for every network that does not run."""

import re

import pytest

from stnkit.plugin_system.registry import plugin_registry
from tests.helpers import ROOT

PAGE = (ROOT / "docs" / "deployment.md").read_text()
SIGN = re.compile(r"|(?:=|\*\*[\d.e-]+\*\*)(?: at batch [\d, ]+: (?P<some>[a-z, ]+))?|no: (?P<none>[a-z, ]+)")


def table(title):
    """Cells by row and column of the table whose first heading is the title."""
    lines = PAGE[PAGE.index(f"| {title} |") :].split("\n\n")[0].splitlines()
    header, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {(row[0], column): cell for row in rows for column, cell in zip(header[1:], row[1:], strict=True)}


TABLES = {title: table(title) for title in ("family", "network")}


def test_every_family_has_a_row():
    families = {
        e.name for e in plugin_registry().registered if e.kind == "transform" and e.source.distribution == "stnkit"
    }
    assert families <= {row for row, _ in TABLES["family"]}


def test_letters_of_the_tables_and_messages_belong_together():
    used = set()
    for cell in [*TABLES["family"].values(), *TABLES["network"].values()]:
        found = SIGN.fullmatch(cell)
        assert found, cell
        used |= {*re.findall(r"[a-z]+", found["some"] or found["none"] or "")}
    assert used == {*re.findall(r"^- ([a-z]+): \S.*: `.+`$", PAGE, re.MULTILINE)}


@pytest.mark.parametrize("runtime", ["ONNX Runtime", "onnxruntime-web"])
def test_no_family_differs_in_onnx_runtime(runtime):
    cells = {family: cell for (family, column), cell in TABLES["family"].items() if column == runtime}
    assert {cell for family, cell in cells.items() if family != "cpab"} <= {"=", ""}  # "" was not run yet
    assert sum(cell == "=" for cell in cells.values()) > 12
