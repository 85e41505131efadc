import json

import pytest

from stnkit.errors import InputError
from stnkit.experiments.loop.failures import ProcessError
from stnkit.experiments.run_directory.record import RunRecord, failure, read_record


def test_every_update_is_on_disk_when_the_call_returns(tmp_path):
    record = RunRecord(tmp_path / "run")
    record.update(status="running", seed=3)
    assert read_record(tmp_path / "run") == {"status": "running", "seed": 3}
    record.update(status="completed")
    assert read_record(tmp_path / "run") == {"status": "completed", "seed": 3}
    assert [p.name for p in (tmp_path / "run").iterdir()] == ["metrics.json"]


def test_numbers_that_are_not_finite_are_written_as_null(tmp_path):
    RunRecord(tmp_path).update(test_loss=float("nan"), history=[{"loss": float("inf")}])
    text = (tmp_path / "metrics.json").read_text()
    assert json.loads(text, parse_constant=pytest.fail) == {"test_loss": None, "history": [{"loss": None}]}


class NarrowError(InputError):
    """An error of a plugin."""


@pytest.mark.parametrize(
    ("error", "is_users"), [(NarrowError("no"), True), (ValueError("no"), False), (ProcessError("no"), False)]
)
def test_a_failure_says_if_it_is_the_users(error, is_users):
    expected = {"status": "failed", "error": f"{type(error).__name__}: no", "is_users_error": is_users}
    assert failure(error) == expected


def test_a_record_is_a_json_object(tmp_path):
    (tmp_path / "metrics.json").write_text("[1]")
    with pytest.raises(ValueError, match="is not a JSON object"):
        read_record(tmp_path)
    assert read_record(tmp_path / "nowhere") is None
