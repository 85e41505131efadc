import copy
import json

import pytest

from stnkit.experiments.report.runs import find_runs
from tests.helpers import RECORDED_CONFIG

# The figures of objectives as records describe them, the primary one first.
FIGURES = {
    "registration": {"point_error": {"unit": "px", "higher_is_better": False}, "folded": {"unit": "%"}},
    "colocalization": {"found": {"unit": "%", "higher_is_better": True}, "iou": {"unit": "", "higher_is_better": True}},
}


@pytest.fixture
def make_run(tmp_path):
    """Writes the record of a run and returns its directory."""
    made = []

    def make(name=None, *, seed=0, status="completed", record=None, **config):
        run_dir = tmp_path / "runs" / (name or str(len(made)))
        made.append(run_dir)
        values = copy.deepcopy(RECORDED_CONFIG) | {"seed": seed}
        for key, value in config.items():
            values[key] = values.get(key, {}) | value if isinstance(value, dict) and "name" not in value else value
        contents = {"status": status, "seed": seed, "config": values, **(record or {})}
        run_dir.mkdir(parents=True)
        (run_dir / "metrics.json").write_text(json.dumps(contents))
        return run_dir

    def of_objective(name, figures, **options):
        """A run of another objective, with figures of its test and, the same, of its two epochs in validation."""
        described = FIGURES[name]
        history = [{"epoch": i, **{f"validation_{key}": value for key, value in figures.items()}} for i in range(2)]
        record = {"figures": described, "history": history, **{f"test_{key}": v for key, v in figures.items()}}
        return make(objective={"name": name, **options.pop("objective", {})}, record=record, **options)

    make.of_objective = of_objective
    make.root = tmp_path / "runs"
    return make


@pytest.fixture
def runs_of(make_run):
    """Finds the runs made so far."""
    return lambda: find_runs([make_run.root])
