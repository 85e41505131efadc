import platform
from datetime import UTC, datetime

import torch

import stnkit
from stnkit.experiments.run_directory.provenance import now
from tests.helpers import metrics


def test_a_record_holds_versions_and_the_date(quick_run):
    record = metrics(quick_run)
    assert record["versions"]["stnkit"] == stnkit.__version__
    assert record["versions"]["torch"] == torch.__version__
    assert record["versions"]["python"] == platform.python_version()
    began = datetime.fromisoformat(record["began"])
    age = datetime.now(UTC) - began
    assert 0 <= age.total_seconds() < 24 * 3600


def test_the_time_is_in_utc():
    assert datetime.fromisoformat(now()).utcoffset().total_seconds() == 0
