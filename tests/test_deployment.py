"""docs/deployment.md has a row for every family, and a reason for every network that does not run."""

import importlib
import json
import re
import sys

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
    cells = [cell for (_, column), cell in TABLES["family"].items() if column == runtime]
    assert len(cells) > 12
    assert {*cells} == {"="}


def test_cells_that_were_not_run_again_stay_as_they_are(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "findings" / "runtimes")
    for module in ("matrix", "nets", "tables"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    tables = importlib.import_module("tables")
    assert tables.text(tmp_path, PAGE) in PAGE
    row = {"net": "tps.bilinear", "differences": {}, "reasons": {"all": "no such layer"}}
    (tmp_path / "tract.jsonl").write_text(json.dumps(row))
    changed = tables.text(tmp_path, PAGE)
    assert "- a: tract: `no such layer`" in changed
    assert len(changed.splitlines()) == len(tables.text(tmp_path / "empty", PAGE).splitlines()) + 1
