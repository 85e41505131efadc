"""Pages of results against the records in benchmarks/results, and what of a run is archived."""

import json
import shlex

import pytest

import stnkit
from tests.helpers import ROOT, metrics

RECORDS = sorted((ROOT / "benchmarks" / "results").rglob("metrics.json"))
PAGES = [(ROOT / "docs" / name).read_text() for name in ("RESULTS.md", "photographs.md")]


def tables_of(text):
    """The tables of a page or an output, each as its lines."""
    tables, before = [], ""
    for line in text.splitlines():
        if line.startswith("|"):
            if not before.startswith("|"):
                tables.append([])
            tables[-1].append(line)
        before = line
    return tables


def commands():
    """The commands of the pages that print a table from the archive, and the table that follows each."""
    told = []
    for page in PAGES:
        first, *others = page.split("\n    stnkit report benchmarks/results/")
        assert tables_of(first) == []
        told += [(other.partition("\n")[0], tables_of(other)) for other in others]
    return [(command, tables[0]) for command, tables in told if "--curves" not in command]


@pytest.mark.parametrize(("command", "shown"), commands())
def test_a_table_is_what_its_command_prints(command, shown, stnkit_main, monkeypatch):
    monkeypatch.chdir(ROOT)
    code, out, err = stnkit_main("report", *shlex.split(f"benchmarks/results/{command}"))
    assert code == 0, err
    assert tables_of(out) == [shown]


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: "-".join(path.parts[-5:-1]))
def test_a_record_names_no_folder_of_the_machine(path):
    def strings(value):
        if isinstance(value, dict | list):
            for inner in value.values() if isinstance(value, dict) else value:
                yield from strings(inner)
        elif isinstance(value, str):
            yield value

    assert not [text for text in strings(json.loads(path.read_text())) if text.startswith("/")]


def test_the_archive_holds_completed_runs_alone(quick_run, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    from table1.archive import archived, portable

    (tmp_path / "metrics.json").write_text(json.dumps(metrics(quick_run) | {"status": "interrupted"}))
    assert archived(tmp_path) == {}
    [(name, record)] = archived(quick_run).items()
    assert name == "paper_fcn/affine/rts-0"
    assert record == portable(metrics(quick_run))
    assert not {"checkpoint", "picture"} & set(record)


def test_two_runs_of_one_name_are_refused(quick_run, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    from table1.archive import archived

    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "metrics.json").write_text(json.dumps(metrics(quick_run)))
    with pytest.raises(stnkit.errors.InputError, match="seed, got two paper_fcn/affine/rts-0"):
        archived(tmp_path)


def test_an_augmented_network_has_the_name_of_its_inner_one(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    from table1.archive import name_of

    config = {
        "network": {"name": "augmented", "inner": {"name": "paper_fcn", "hidden": [8]}},
        "placement": {"at": []},
        "transform": {"name": "tps"},
        "distortion": {"name": "rts"},
        "seed": 2,
    }
    assert name_of({"config": config}) == "augmented-paper_fcn/none/rts-2"
