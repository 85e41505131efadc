import csv
import io
import json

import pytest
from rich.console import Console

from stnkit.experiments.report.formats import as_csv, as_json, as_markdown
from stnkit.experiments.report.notes import notes
from stnkit.experiments.report.published_results import compare, load_published
from stnkit.experiments.report.table import make_table
from stnkit.experiments.report.terminal import print_table
from stnkit.experiments.report.text_table import TextCell, TextTable, make_text_table
from stnkit.experiments.run_directory.job_list import Job
from tests.helpers import RECORDED_COMPONENTS


@pytest.fixture
def table(make_run, runs_of):
    """Two transforms by two distortions: two seeds, a failed run, an empty cell, a broken record."""
    make_run(seed=0, record={"test_error": 1.0, "seconds": 10})
    make_run(seed=1, record={"test_error": 2.0, "seconds": 20})
    make_run(seed=0, transform=RECORDED_COMPONENTS["tps"], status="failed", record={"error": "ValueError: a | b <b>"})
    make_run(seed=0, distortion=RECORDED_COMPONENTS["rts"], record={"test_error": 4.0, "seconds": 30})
    (make_run("broken") / "metrics.json").write_text("{")
    return make_table(runs_of(), metrics=["test_error", "seconds"])


def printed(table, width, comparison=None):
    file = io.StringIO()
    print_table(make_text_table(table, comparison), notes(table), Console(file=file, width=width))
    return file.getvalue()


def test_csv_has_one_line_for_each_cell_and_each_broken_record(table):
    rows = list(csv.DictReader(as_csv(table, compare(table, load_published("paper"))).splitlines()))
    assert [(row["transform"], row["distortion"]) for row in rows] == [
        ("affine", "rotation"),
        ("affine", "rts"),
        ("tps", "rotation"),
        ("tps", "rts"),
        ("", ""),
    ]
    assert (float(rows[0]["test_error"]), float(rows[0]["seconds"])) == (1.5, 15)
    assert float(rows[0]["test_error_std"]) == pytest.approx(0.5**0.5)
    assert (rows[0]["completed"], rows[2]["failed"], rows[3]["completed"], rows[4]["broken"]) == ("2", "1", "0", "1")
    assert float(rows[0]["difference"]) == pytest.approx(0.8)
    assert rows[2]["test_error"] == ""
    assert rows[4]["directories"].endswith("broken")


def test_json_has_every_run_with_its_status_and_reason(table):
    values = json.loads(as_json(table, notes(table), compare(table, load_published("paper"))))
    cells = {(c["row"]["transform"], c["column"]["distortion"]): c for c in values["cells"]}
    assert cells["affine", "rotation"]["statistics"]["test_error"]["mean"] == 1.5
    assert [run["seed"] for run in cells["affine", "rotation"]["runs"]] == [0, 1]
    assert [run["values"]["seconds"] for run in cells["affine", "rotation"]["runs"]] == [10, 20]
    assert cells["tps", "rotation"]["runs"][0]["reason"] == "ValueError: a | b <b>"
    assert cells["tps", "rotation"]["statistics"]["test_error"] is None
    assert cells["tps", "rts"]["runs"] == []
    assert cells["tps", "rts"]["reference"] == 0.5
    assert values["broken"][0]["status"] == "broken"


def test_markdown_is_a_table_that_no_text_can_break(table):
    lines = as_markdown(make_text_table(table, compare(table, load_published("paper"))), notes(table)).splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert len(rows) == 2 + 3
    assert len({line.replace("\\|", "").count("|") for line in rows}) == 1
    assert rows[2].startswith("| affine | 1.50 ± 0.71 (2)<br>the paper 0.7, +0.80 |")
    assert "1 failed" in rows[3]
    assert "broken" in rows[4]
    assert any("a \\| b &lt;b>" in line for line in lines)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("*b*", r"\*b\*"),
        ("`code`", r"\`code\`"),
        ("_d_", r"\_d\_"),
        ("__init__", r"\_\_init\_\_"),
        ("(_d_)", r"(\_d\_)"),
        ("compact_cnn", "compact_cnn"),
        ("st_cnn__tps ü_ß", "st_cnn__tps ü_ß"),
        ("a\\b", r"a\\b"),
        (r"\|", r"\\\|"),
        ("~a~ $b$ [c](d) [1,2]", r"\~a\~ \$b\$ [c\](d) [1,2]"),
        ("a & <b>\nc", "a &amp; &lt;b> c"),
    ],
)
def test_markdown_shows_texts_as_they_are(text, written):
    table = TextTable(["network"], [("error",)], [([text], [TextCell(text)])], text, [(text, text)], [text])
    lines = as_markdown(table, [text]).splitlines()
    for line in (
        f"- {written}: {written}",
        written,
        f"> **Warning:** {written}",
        f"| {written} | {written} |",
        f"- {written}",
    ):
        assert line in lines


@pytest.mark.parametrize("width", [80, 60, 40])
def test_a_narrow_terminal_gets_blocks_of_whole_columns(table, width):
    text = printed(table, width)
    lines = [line for line in text.splitlines() if "(number of" not in line and ": " not in line]
    assert max(map(len, lines)) <= width
    for whole in ("1.50 ± 0.71 (2)", "15.00 ± 7.07 (2)", "1 failed", "broken", "—"):
        assert any(whole in line for line in lines)
    assert sum(line.startswith(" affine") for line in lines) == {80: 2, 60: 3, 40: 4}[width]


def test_what_all_runs_share_precedes_the_table(table):
    for text in (printed(table, 80), as_markdown(make_text_table(table), notes(table))):
        above = text[: text.index("transform ")]
        assert "dataset" in above
        assert "mnist (root=data/mnist)" in above
        assert "3 completed, 1 failed, 1 broken" in above
        assert "test_error, %; seconds, s: mean ± standard deviation over 2 seeds" in " ".join(above.split())
    values = json.loads(as_json(table, notes(table)))
    assert values["shared"]["dataset.root"] == "data/mnist"
    assert values["units"] == {"test_error": "%", "seconds": "s"}


def test_the_best_of_a_column_is_marked_in_every_format(make_run, runs_of):
    for transform, error in (("affine", 2.0), ("tps", 1.0)):
        make_run(transform={"name": transform}, record={"test_error": error})
    table = make_table(runs_of())
    text = printed(table, 80)
    assert "* 1.00 (1)" in text
    assert "* 2.00 (1)" not in text
    assert "* the best mean of its column: its lead may be noise" in text
    markdown = as_markdown(make_text_table(table), notes(table))
    assert "| tps | **1.00 (1)** |" in markdown
    assert "| affine | 2.00 (1) |" in markdown


def test_an_undefined_value_is_a_dash_with_its_reason(make_run, runs_of):
    reason = "the distortion moves no point of any image"
    make_run(distortion={"name": "none"}, record={"undefined": {"rotation_residual": reason}})
    make_run(record={"rotation_residual": 26.0})
    make_run(distortion={"name": "rts"}, record={"test_error": 1.0})
    table = make_table(runs_of(), columns=[], metrics=["rotation_residual"])
    text = printed(table, 80)
    assert f"[1] not defined: rotation_residual: {reason}" in text
    rows = [line.split(maxsplit=1) for line in text.splitlines() if line.startswith((" none", " rotation ", " rts"))]
    assert [(name, value.strip()) for name, value in rows] == [
        ("none", "— [1]"),
        ("rotation", "26.00 (1)"),
        ("rts", "n/a"),
    ]
    (of_none, *_) = json.loads(as_json(table, []))["cells"]
    assert of_none["runs"][0]["undefined"] == {"rotation_residual": reason}


def test_jobs_that_have_not_begun_are_in_every_format(make_run, runs_of, tmp_path):
    make_run(record={"test_error": 1.0})
    jobs = [Job(tmp_path / "sweep", (f"seed={seed}",)) for seed in (1, 2)]
    table = make_table(runs_of(), not_begun=jobs)
    for text in (printed(table, 80), as_markdown(make_text_table(table), notes(table))):
        assert "1 completed, 2 not begun" in text
        assert "seed=1; seed=2" in " ".join(text.split())  # a long path has another line break
    rows = list(csv.DictReader(as_csv(table).splitlines()))
    assert [(row["completed"], row["not_begun"]) for row in rows] == [("1", "0"), ("0", "2")]
    assert rows[1]["directories"] == str(tmp_path / "sweep")
    told = json.loads(as_json(table, []))["not_begun"]
    assert told == [{"directory": str(tmp_path / "sweep"), "overrides": [f"seed={seed}"]} for seed in (1, 2)]


def test_the_terminal_shows_brackets_of_a_label_as_they_are(make_run, runs_of):
    make_run(network={"name": "[red]x[/red]"})
    make_run(network={"name": "[/nonsense]"})
    text = printed(make_table(runs_of()), 80)
    assert "[red]x[/red]" in text
    assert "[/nonsense]" in text


def test_json_tells_units_and_what_is_better(make_run, runs_of):
    make_run.of_objective("colocalization", {"found": 80.0, "iou": 0.5})
    table = make_table(runs_of(), metrics=["test_found", "test_iou", "seed"])
    values = json.loads(as_json(table, []))
    assert values["units"] == {"test_found": "%", "test_iou": "", "seed": ""}
    assert values["better"] == {"test_found": "higher", "test_iou": "higher", "seed": None}
