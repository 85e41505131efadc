"""An objective of a stranger, of at most 25 lines, trains, sweeps and is reported without any other change."""

import csv
import io
import re
from pathlib import Path

import pytest

from tests.helpers import QUICK, ROOT, metrics

# It has two losses, no network behind the transformer, and a figure of which higher is better.
WINDOW = '''
import stnkit
from stnkit.objectives import Figure


class Window(stnkit.Objective):
    """A window with as much ink as possible, at a price for its smallness."""

    figures = {"ink": Figure("%", higher_is_better=True), "zoom": Figure()}
    terms = ("dark", "small")
    needs = ("transformer",)
    default_network = "none"

    def losses(self, batch):
        return {"dark": -batch.straightened.mean(), "small": 0.1 * batch.theta.square().mean()}

    def measure(self, batch):
        bright = batch.straightened.flatten(1).mean(dim=1)
        return {"ink": 100 * bright, "zoom": batch.theta.abs().amax(dim=1)}


@stnkit.hookimpl
def stnkit_components():
    yield stnkit.Component("window", Window)
'''
(FOCAL,) = re.findall(
    r"^```python\n(# stnkit_focal.py\n.*?)^```",
    (ROOT / "docs/plugins/objective.md").read_text(),
    re.DOTALL | re.MULTILINE,
)
PLUGINS = {"focal": (FOCAL, "error", False), "window": (WINDOW, "ink", True)}


def short(name):
    """The words of a short run, with the network that the objective suggests."""
    words = [word for word in QUICK if name == "focal" or not word.startswith("network")]
    return [*words, f"objective={name}", "training.schedule=constant"]


@pytest.mark.parametrize("name", PLUGINS)
def test_a_plugin_of_an_objective_has_at_most_25_lines(name):
    text = PLUGINS[name][0]
    assert len([line for line in text.splitlines() if line.strip() and not line.startswith("#")]) <= 25


@pytest.mark.no_jaxtyping
@pytest.mark.process
@pytest.mark.training
@pytest.mark.parametrize("name", PLUGINS)
def test_a_strangers_objective_trains_sweeps_and_is_reported(name, make_distribution, stnkit_main):
    text, primary, higher = PLUGINS[name]
    make_distribution("theirs", {f"their_{name}": text}, {f"objective.{name}": f"their_{name}"})

    # Trained, and judged by its own primary figure in both directions.
    code, out, err = stnkit_main("train", *short(name), "training.keep=best", "hydra.run.dir=one")
    assert (code, err) == (0, "")
    run = metrics("one")
    assert run["config"]["objective"]["name"] == name
    assert run["figures"][primary]["higher_is_better"] == higher
    assert re.search(rf"test {primary} +{run[f'test_{primary}']:.2f} %", out)
    figures = [epoch[f"validation_{primary}"] for epoch in run["history"]]
    best = max(figures) if higher else min(figures)
    assert figures[run.get("best_epoch", -1)] == best
    first, last = run["history"][0], run["history"][-1]
    assert last["train_loss"] < first["train_loss"]

    # Swept, and a second sweep runs the new job alone.
    sweep = ["train", "-m", *short(name), "hydra.sweep.dir=sweep", "skip_completed=true", "training.epochs=1"]
    code, _, err = stnkit_main(*sweep, "seed=0,1")
    assert code == 0, err
    before = [Path(f"sweep/{job}/metrics.json").stat().st_mtime_ns for job in (0, 1)]
    code, out, err = stnkit_main(*sweep, "seed=0,1,2")
    assert code == 0, err
    assert out.count("already completed") == 2
    assert [Path(f"sweep/{job}/metrics.json").stat().st_mtime_ns for job in (0, 1)] == before

    # Reported by the primary figure, the mean of the three.
    code, out, err = stnkit_main("report", "sweep", "--format", "csv")
    assert code == 0, err
    (cell,) = csv.DictReader(io.StringIO(out))
    values = [metrics(f"sweep/{job}")[f"test_{primary}"] for job in range(3)]
    assert float(cell[f"test_{primary}"]) == pytest.approx(sum(values) / 3)
    code, out, err = stnkit_main("report", "sweep", "--html", "page.html")
    assert code == 0, err
    assert primary in Path("page.html").read_text()
