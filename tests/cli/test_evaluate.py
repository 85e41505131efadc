"""`stnkit evaluate`: the recorded figures again, those of other data, and nothing written."""

import json
import re
from pathlib import Path

import pytest
import torch

import stnkit
from stnkit.cli.completion import answers
from stnkit.cli.evaluate import _print_table
from stnkit.experiments.data.fixed import FixedLoader
from stnkit.experiments.evaluation import Evaluation
from tests.helpers import metrics


def state_of(folder):
    """Every file with its content and the time of its last change."""
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*") if path.is_file()}


def rows_of(out):
    """The two figures of every row of the table by its name."""
    cells = [re.split(r" {2,}", line.strip()) for line in out.splitlines()]
    return {row[0]: row[1:] for row in cells if len(row) == 3}


@pytest.fixture
def evaluated(quick_run, stnkit_main):
    """The JSON of an evaluation of the run with some overrides."""

    def run(*overrides):
        code, out, err = stnkit_main("evaluate", quick_run, "--json", *overrides)
        assert (code, err) == (0, "")
        return json.loads(out)

    return run


def test_the_same_data_give_the_recorded_figures(quick_run, evaluated, tmp_path):
    before = state_of(quick_run)
    told = evaluated()
    recorded = metrics(quick_run)
    assert {"test_error", "test_loss", "corner_error_raw", "pose"} <= told.keys()
    for name in told.keys() - {"run", "overrides", "config"}:
        assert told[name] == recorded[name]
    assert told["config"]["distortion"] == recorded["config"]["distortion"]
    assert state_of(quick_run) == before
    assert not list(tmp_path.iterdir())  # the working directory


def test_another_distortion_gives_its_own_error(quick_run, evaluated):
    told = evaluated("distortion.degrees=90", "distortion.scale=[0.5,1]")
    run = stnkit.load_run(quick_run)
    options = {"name": "rts", "degrees": 90.0, "scale": [0.5, 1.0]}
    distortion = stnkit.build("distortion", options, image_shape=run.data.dataset.image_shape)
    images, labels = run.data.split("test")
    test = FixedLoader(images, labels, distortion, 256, "test", torch.device("cpu"))
    with torch.no_grad():
        wrong = (run.network(test.images[:]).argmax(dim=1) != test.labels).double().mean()
    assert told["test_error"] == pytest.approx(100 * float(wrong), abs=1e-4)
    assert told["test_loss"] != metrics(quick_run)["test_loss"]
    assert told["overrides"] == ["distortion.degrees=90", "distortion.scale=[0.5,1]"]
    assert told["config"]["distortion"]["degrees"] == 90


def test_the_table_has_recorded_and_evaluated_figures(quick_run, stnkit_main):
    code, out, err = stnkit_main("evaluate", quick_run, "training.batch_size=100")
    assert (code, err) == (0, "")
    rows = rows_of(out)
    assert rows["figure"] == ["recorded", "evaluated"]
    changed = "training.batch_size=100"
    assert out.startswith(f"{quick_run} on the test images of digits, distortion rts; changed: {changed}\n")
    recorded = f"{metrics(quick_run)['test_error']:.4f}"
    assert rows["test_error, %"] == [recorded, recorded]


def test_the_heading_says_that_nothing_was_changed(quick_run, stnkit_main):
    _, out, _ = stnkit_main("evaluate", quick_run)
    assert out.splitlines()[0] == f"{quick_run} on the test images of digits, distortion rts; nothing changed"


def test_the_help_names_every_option_that_is_accepted(stnkit_main):
    code, out, _ = stnkit_main("evaluate", "--help")
    assert code == 0
    assert "training.accelerator or training.batch_size" in " ".join(out.split())


def test_figures_that_are_not_defined_are_dashes_with_a_reason(quick_run, stnkit_main):
    code, out, err = stnkit_main("evaluate", quick_run, "distortion=independent_channels")
    assert (code, err) == (0, "")
    rows = rows_of(out)
    assert rows["rotation_residual, °"] == [f"{metrics(quick_run)['rotation_residual']:.4f}", "-"]
    assert rows["rectified_variance"][1] != "-"
    (reason,) = [line for line in out.splitlines() if line.startswith("- ")]
    assert reason.startswith("- rotation_residual, log_scale_residual, ")
    assert reason.endswith(": the channels of an image are distorted by different maps")


def test_rounding_noise_is_0(quick_run, stnkit_main):
    code, out, _ = stnkit_main("evaluate", quick_run, "distortion.degrees=0", "distortion.scale=[1,1]")
    assert code == 0
    rows = rows_of(out)
    # The images still move on their canvas, and nothing turns them.
    assert rows["rotation_residual_identity, °"][1] == "0.0000"
    assert float(rows["translation_residual_identity, px"][1]) > 1
    assert "-0.0000" not in out


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("distortion.turns=3", "distortion 'rts' has no option 'turns'; its options are: "),
        ("distortion=none", "expected images of shape [1, 42, 42], as the network was trained on, got [1, 28, 28]"),
        ("distortion=nonsense", "there is no distortion 'nonsense'; the distortions are: "),
        ("transform.ndim=3", "transform.ndim: expected an option of dataset or distortion, or training.accelerator"),
        ("training.epochs=3", "training.epochs: expected an option of dataset or distortion, or training.accelerator"),
        ("dataset=addition", "expected images of shape [1, 42, 42], as the network was trained on, got [2, "),
        ("training.batch_size=abc", "training.batch_size: Value 'abc' of type 'str' could not be converted to Integer"),
        ("training.batch_size=null", "training.batch_size: "),
        ("training.batch_size=1e3", "training.batch_size: Value '1000.0' of type 'float' could not be converted"),
        ("training.accelerator=gpu", "training: No supported gpu backend found!"),
        ("training.accelerator=quantum", "training: You selected an invalid accelerator name"),
        ("training.precision=16-mixed", "training.precision: expected bf16-mixed on a CPU, got 16-mixed"),
        (
            "training.precision=64-true",
            "training.precision: expected 32-true or 16-mixed or bf16-mixed for a run in 32-true, got 64-true",
        ),
        ("dataset@x=digits", "dataset@x=digits: expected KEY=VALUE with one value, such as"),
        ("~distortion", "~distortion: expected KEY=VALUE with one value, such as"),
        ("~distortion=rts", "~distortion=rts: expected KEY=VALUE with one value, such as"),
        ("distortion=rotation,rts", "distortion=rotation,rts: expected KEY=VALUE with one value, such as"),
        ("distortion=glob(*)", "distortion=glob(*): expected KEY=VALUE with one value, such as"),
        ("nonsense", "nonsense: expected KEY=VALUE with one value, such as distortion.degrees=90"),
    ],
)
def test_what_does_not_fit_the_run_is_one_sentence(override, message, quick_run, stnkit_main, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)  # as on a machine without GPU
    code, out, err = stnkit_main("evaluate", quick_run, override)
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith("stnkit evaluate: ")
    assert message in line


def test_the_accelerator_of_the_run_is_not_needed(copy_of_quick_run, stnkit_main):
    record = metrics("run")
    record["config"]["training"]["accelerator"] = "tpu"
    Path("run/metrics.json").write_text(json.dumps(record))
    code, out, err = stnkit_main("evaluate", "run", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["test_loss"] == record["test_loss"]


def test_a_run_in_half_precision_is_evaluated_on_a_cpu(copy_of_quick_run, stnkit_main):
    record = metrics("run")
    record["config"]["training"] |= {"precision": "16-mixed"}
    Path("run/metrics.json").write_text(json.dumps(record))
    on_cpu = ("evaluate", "--json", "run", "training.accelerator=cpu")
    code, _, err = stnkit_main(*on_cpu)
    assert (code, err) == (2, "stnkit evaluate: training.precision: expected bf16-mixed on a CPU, got 16-mixed\n")
    code, out, err = stnkit_main(*on_cpu, "training.precision=32-true")
    assert (code, err) == (0, "")
    assert json.loads(out)["test_loss"] == record["test_loss"]


def test_a_folder_that_holds_no_run_is_one_sentence(stnkit_main):
    code, _, err = stnkit_main("evaluate", "nowhere")
    assert (code, err) == (2, "stnkit evaluate: expected a run directory, got nowhere, which has no metrics.json\n")


def test_names_of_distortions_are_completed():
    assert answers("stnkit evaluate run distortion=el") == ["distortion=elastic "]


def test_figures_have_the_units_of_their_objective(capsys):
    described = {"corner_error": {"unit": "px", "higher_is_better": False}, "inside": {"unit": "%"}}
    recorded = {"figures": described, "test_corner_error": 7.5, "test_inside": 90.0, "test_outside": 0.025}
    found = {"test_corner_error": 8.25, "test_inside": 80.0, "corner_error_raw": 3.0, "test_outside": 0.05}
    _print_table(Evaluation({}, found, recorded))
    assert rows_of(capsys.readouterr().out) == {
        "figure": ["recorded", "evaluated"],
        "test_corner_error, px": ["7.5000", "8.2500"],
        "test_inside, %": ["90.0000", "80.0000"],
        "corner_error_raw, px": ["-", "3.0000"],
        "test_outside, %": ["2.5000", "5.0000"],  # recorded as a share
    }
