import csv
import json

import pytest

from stnkit.experiments.run_directory.job_list import list_jobs
from tests.helpers import RECORDED_COMPONENTS


@pytest.fixture
def made(make_run):
    make_run(record={"test_error": 1.0, "seconds": 3.0})
    make_run(transform=RECORDED_COMPONENTS["tps"], status="failed", record={"error": "ValueError: no"})
    return make_run.root


@pytest.mark.training
def test_a_table_of_a_real_sweep(stnkit_main, sweep):
    code, out, _ = stnkit_main("report", sweep / "ok", sweep / "bad")
    assert code == 0
    record = json.loads((sweep / "ok" / "0" / "metrics.json").read_text())
    assert f"{record['test_error']:.2f}" in out
    assert "training.epochs: expected a number of at least 1, got 0" in out
    assert "1 failed" in out


@pytest.mark.parametrize("format_", ["terminal", "markdown", "csv", "json"])
def test_every_format_goes_to_the_terminal_or_a_file(format_, stnkit_main, made, tmp_path):
    code, out, err = stnkit_main("report", made, "--format", format_)
    assert code == 0
    assert err == ""
    assert "tps" in out
    assert stnkit_main("report", made, "--format", format_, "--output", tmp_path / "table")[0] == 0
    assert (tmp_path / "table").read_text() == out
    if format_ == "json":
        assert json.loads(out)["rows"] == ["transform"]
    if format_ == "csv":
        assert [row["transform"] for row in csv.DictReader(out.splitlines())] == ["affine", "tps"]


@pytest.mark.parametrize("format_", ["terminal", "markdown", "csv", "json"])
def test_a_sweep_of_which_no_job_has_begun_is_reported(format_, stnkit_main, tmp_path):
    list_jobs(tmp_path / "sweep", [["seed=0"], ["seed=1"]])
    code, out, _ = stnkit_main("report", "sweep", "--format", format_, "--html", "page.html")
    assert code == 0
    told = {"csv": "2,sweep", "json": '"not_begun": [\n    {'}.get(format_, "not begun: 2 of sweep: seed=0; seed=1")
    assert told in out
    if format_ in ("terminal", "markdown"):
        assert "test_error, %: no run is completed" in out
        assert not {"│", "─", "|"} & set(out)
    assert "<table" not in (tmp_path / "page.html").read_text()
    assert "2 runs: 2 not begun" in (tmp_path / "page.html").read_text()


def test_rows_columns_and_values_can_be_chosen(stnkit_main, made):
    chosen = ["--rows", "placement", "--columns", "transform", "--value", "seconds,test_error", "--value", "seed"]
    code, out, _ = stnkit_main("report", made, "--format", "json", *chosen)
    assert code == 0
    values = json.loads(out)
    assert (values["rows"], values["columns"]) == (["placement"], ["transform"])
    assert values["values"] == ["seconds", "test_error", "seed"]


def test_no_columns_are_an_empty_name(stnkit_main, make_run):
    for transform in (RECORDED_COMPONENTS["tps"], {"name": "affine"}):
        make_run(transform=transform)
        make_run(transform=transform, distortion=RECORDED_COMPONENTS["rts"])
    code, out, _ = stnkit_main("report", make_run.root, "--format", "json", "--columns", "")
    assert code == 0
    assert json.loads(out)["rows"] == ["transform", "distortion"]


def test_published_results_are_printed_below_ours(stnkit_main, made):
    code, out, _ = stnkit_main("report", made, "--against", "paper")
    assert code == 0
    assert "the paper 0.7, +0.30" in out


def test_a_page_is_written_whole(stnkit_main, made, tmp_path):
    code, _, err = stnkit_main("report", made, "--html", tmp_path / "page.html")
    assert code == 0
    assert f"page  {tmp_path / 'page.html'}" in err
    text = (tmp_path / "page.html").read_text()
    assert text.startswith("<!doctype html>")
    assert text.rstrip().endswith("</html>")
    assert "http" not in text.replace("http://www.w3.org/", "").replace("http-equiv", "")


def test_data_that_are_not_there_are_a_note(stnkit_main, made, tmp_path):
    code, _, err = stnkit_main("report", made, "--html", "page.html", "--dataset", "root=nowhere")
    assert code == 0, err
    assert "no pictures of" in (tmp_path / "page.html").read_text()


def test_options_may_stand_between_directories(stnkit_main, made):
    code, out, err = stnkit_main("report", made / "0", "--format", "csv", made / "1")
    assert (code, err) == (0, "")
    assert [row["transform"] for row in csv.DictReader(out.splitlines())] == ["affine", "tps"]


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "stnkit report: expected the directory of a run or a sweep, but nowhere does not exist"),
        (["."], "stnkit report: there is no run in .: found no metrics.json there or in any folder below"),
        (["runs", "--rows", "speed"], "no run has the key 'speed'"),
        (["runs", "--rows", "seed"], "the seed cannot be a row or column"),
        (["runs", "--value", "speed"], "no completed run has a metric 'speed'"),
        (["runs", "--value", ""], "argument --value: expected one or more names, got ''"),
        (["runs", "--value", "seconds", "--value", " ,"], "argument --value: expected one or more names, got ' ,'"),
        (["runs", "--value", "theta_distance"], "no completed run has a metric 'theta_distance'; the metrics are "),
        (["runs", "--against", "nature"], "there are no published results 'nature'"),
        (["runs", "--value", "seconds", "--against", "paper"], "the results of the paper are test_error"),
        (["runs", "--html", "nowhere/page.html"], "--html nowhere/page.html: there is no folder nowhere"),
        ([], "the following arguments are required: DIR; `stnkit report --help` lists the arguments"),
        (["runs", "--dataset", "root"], "argument --dataset: expected OPTION=VALUE, got 'root'"),
        (["runs", "--dataset", "root=x"], "--dataset: expected --html FILE too, since only a page has pictures"),
        (["runs", "--html", "x.html", "--dataset", "m=3"], "--dataset: dataset 'mnist' has no option 'm'; its options"),
        (["runs", "--html", "x.html", "--dataset", "root=[a"], "--dataset: expected values that YAML can read"),
        (["runs", "--html", "x.html", "--dataset", "download=3"], "--dataset: dataset 'mnist': option download: expec"),
        (["runs", "--output", "runs"], "--output: expected a file, got the folder runs"),
    ],
)
def test_a_users_mistake_is_one_sentence_and_exit_code_2(arguments, message, stnkit_main, made):
    if arguments == ["."]:
        made.rename(made.parent.parent / f"{made.parent.name}-elsewhere")
    code, out, err = stnkit_main("report", *arguments)
    assert code == 2
    (line,) = err.splitlines()
    assert message in line
    assert out == ""
