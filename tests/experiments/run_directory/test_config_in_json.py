import json
import math

import pytest

from stnkit.experiments.report.flat_config import label
from stnkit.experiments.report.runs import find_runs
from stnkit.experiments.run_directory.config_in_json import config_as_json, config_from_json
from stnkit.experiments.run_directory.record import RunRecord, read_record
from stnkit.experiments.trained_run import load_run
from tests.helpers import metrics, trained, use_few_digits

OPTIONS = {
    "limit": math.inf,
    "limits": [-math.inf, 0.5, None],
    "inner": {"name": "affine", "fill": math.nan},
    "texts": [".inf", "-.inf", ".nan", "\\.inf", "\\\\.nan", "inf", "nan", ".infinite", "a.nan", "", "\\"],
    "whole": 3,
    "flag": True,
}


def strict(text):
    return json.loads(text, parse_constant=pytest.fail)


def test_every_option_comes_back_from_json_as_it_was():
    found = config_from_json(strict(json.dumps(config_as_json(OPTIONS))))
    assert repr(found) == repr(OPTIONS)


def test_infinite_options_are_recorded_and_figures_are_null(tmp_path):
    RunRecord(tmp_path).update(config=OPTIONS, test_loss=math.inf, history=[{"loss": math.nan}])
    written = strict((tmp_path / "metrics.json").read_text())
    assert written["config"]["limit"] == ".inf"
    assert written["config"]["inner"] == {"name": "affine", "fill": ".nan"}
    assert written["test_loss"] is None
    read = read_record(tmp_path)
    assert repr(read["config"]) == repr(OPTIONS)
    assert read["history"] == [{"loss": None}]


def test_a_record_with_nan_equals_itself_when_read_again(tmp_path):
    RunRecord(tmp_path).update(config=OPTIONS)
    assert read_record(tmp_path) == read_record(tmp_path)


def test_an_earlier_record_takes_such_numbers_of_the_yaml(tmp_path):
    config = {"transform": {"limit": None, "limits": [None, 1.0], "pinned": None}, "seed": 0}
    (tmp_path / "metrics.json").write_text(json.dumps({"config": config}))
    (tmp_path / "config.yaml").write_text(
        "transform:\n  limit: .inf\n  limits:\n  - -.inf\n  - 1.0\n  pinned: null\nseed: 0\n"
    )
    expected = {"limit": math.inf, "limits": [-math.inf, 1.0], "pinned": None}
    assert read_record(tmp_path)["config"] == {"transform": expected, "seed": 0}


@pytest.mark.parametrize("content", [None, "transform: [.inf", "- .inf\n", "\xff"])
def test_an_earlier_record_without_a_sound_yaml_is_read(tmp_path, content):
    (tmp_path / "metrics.json").write_text(json.dumps({"config": {"transform": {"limit": None}}}))
    if content is not None:
        (tmp_path / "config.yaml").write_bytes(content.encode("latin-1"))
    assert read_record(tmp_path)["config"] == {"transform": {"limit": None}}


@pytest.mark.training
def test_a_run_with_an_infinite_option_is_loaded_with_it(tmp_path, monkeypatch):
    use_few_digits(monkeypatch)
    inner = ["transform=bounded", "transform.inner=affine", "transform.limit=inf", "training.epochs=1"]
    run = trained(tmp_path, *inner, "network=paper_fcn", "localizer=fully_connected")
    assert strict((run / "metrics.json").read_text())["config"]["transform"]["limit"] == ".inf"
    assert metrics(run)["status"] == "completed"
    loaded = load_run(run)
    assert loaded.config["transform"]["limit"] == math.inf
    (found,) = find_runs([run])
    assert found.config["transform"]["limit"] == math.inf
    assert found.status == "completed"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (math.nan, "nan"),
        (None, "null"),
        ([0.5, math.inf], "[0.5, inf]"),
        ([[-math.inf, 1], [math.nan, None]], "[[-inf, 1], [nan, null]]"),
    ],
)
def test_the_report_names_such_an_option_as_it_is_given(value, text):
    assert label({"limit": value}, "limit") == text
