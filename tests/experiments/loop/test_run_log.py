"""train.log, and the lines of a run without a terminal."""

import contextlib
import json
import logging
import os
import re
import signal
import time
from importlib.metadata import version
from pathlib import Path

import lightning
import pytest
from omegaconf import OmegaConf

from stnkit.experiments.loop import run
from stnkit.experiments.loop.run_log import LOG, run_log
from tests.helpers import QUICK, metrics

STAMP = r"^\[[^]]*\]\[stnkit\.run\]\[(INFO|ERROR)\] - "


def logged(run_dir):
    """The messages in the log of a run."""
    return re.split(STAMP, (Path(run_dir) / "train.log").read_text(), flags=re.MULTILINE)[2::2]


def epoch_lines(run_dir, epochs):
    """The pattern of each line, from the record."""
    return [
        f"epoch {number}/{epochs}  loss {figures['train_loss']:.4f}  "
        f"validation error {figures['validation_error']:.2f} %  {corners_of(figures)}[0-9]+\\.[0-9] s\n"
        for number, figures in enumerate(metrics(run_dir)["history"], start=1)
    ]


def corners_of(figures):
    """Absent without a transformer."""
    left = figures.get("validation_corner_error_per_class")
    return "" if left is None else f"corners {left:.2f} px  "


def test_the_log_tells_versions_config_epochs_and_the_end(quick_run):
    start, begins, config, *epochs, end = logged(quick_run)
    for name in ("stnkit", "torch", "lightning"):
        assert f"{name} {version(name)}" in start
    assert begins == "run started\n"
    assert "hidden:\n  - 16\n" in config
    assert all(map(re.fullmatch, epoch_lines(quick_run, 2), epochs))
    assert re.fullmatch(rf"completed: test error {metrics(quick_run)['test_error']:.2f} %  [0-9.]+ s\n", end)


@pytest.mark.training
@pytest.mark.parametrize("progress", [True, False])
def test_without_a_terminal_an_epoch_is_a_line(progress, stnkit_main):
    options = [f"training.progress={str(progress).lower()}", "placement=none", "hydra.run.dir=run"]
    code, out, err = stnkit_main("train", *QUICK, *options)
    assert (code, err) == (0, "")
    expected = [*epoch_lines("run", 2)] * progress + ["test error  .*\n", "metrics .*\n", "checkpoint .*\n"]
    assert all(map(re.fullmatch, expected, out.splitlines(keepends=True)))
    assert len(out.splitlines()) == len(expected)


@pytest.mark.training
def test_in_a_terminal_there_is_a_bar_and_no_line(stnkit_main, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # what `rich` takes for a terminal
    code, out, _ = stnkit_main("train", *QUICK, "training.progress=true", "placement=none", "hydra.run.dir=run")
    assert code == 0
    assert "Epoch 1/1" in out
    assert "epoch 1/2" not in out
    assert [line for line in logged("run") if line.startswith("epoch ")]


def test_a_resumed_run_continues_its_log(copy_of_quick_run, stnkit_main):
    Path("run/metrics.json").write_text(json.dumps(metrics("run") | {"status": "running"}))
    before = Path("run/train.log").read_text()
    assert stnkit_main("train", "resume=run")[0] == 0
    assert Path("run/train.log").read_text().startswith(before)
    assert [line for line in logged("run") if line.startswith("run resumed from run/checkpoints/last.ckpt")]
    assert logged("run")[-1].startswith("completed: test error")


@pytest.mark.slow
def test_a_failure_ends_the_log(stnkit_main):
    assert stnkit_main("train", *QUICK, "localizer.hidden=[0]", "hydra.run.dir=run")[0] == 2
    assert logged("run")[-1].startswith(
        "failed: InputError: insertion point 'input': localizer 'fully_connected': hidden: "
    )
    # pytest adds handlers of its own to a logger that does not propagate.
    assert not [handler for handler in LOG.handlers if type(handler) is logging.FileHandler]
    assert logging.getLogger().handlers  # Hydra's, which writes what plugins log into the same file


class Signal(lightning.Callback):
    """Ask the run to stop at a step."""

    def __init__(self, step):
        self.step = step

    def on_train_batch_end(self, trainer, *args):
        if trainer.global_step == self.step:
            signal.raise_signal(signal.SIGINT)


@pytest.mark.training
@pytest.mark.parametrize(("step", "epochs"), [(3, 0), (5, 1), (7, 1)])  # of 5 steps in each of 2 epochs
def test_a_run_tells_where_it_stopped_and_its_own_time(step, epochs, stnkit_main, monkeypatch):
    def stopped(*args, make_trainer=run.make_trainer):
        trainer = make_trainer(*args)
        trainer.callbacks.insert(0, Signal(step))
        return trainer

    with monkeypatch.context() as context:
        context.setattr(run, "make_trainer", stopped)
        code, _, err = stnkit_main("train", *QUICK, "placement=none", "hydra.run.dir=run")
    stop = f"interrupted by SIGINT after {epochs} of 2 epochs"
    assert code == 130
    assert f"{stop}: `stnkit train resume=" in err
    assert logged("run")[-1] == f"{stop}\n"
    began = time.perf_counter()
    assert stnkit_main("train", "resume=run")[0] == 0
    wall = time.perf_counter() - began
    seconds = [float(line.split()[-2]) for line in logged("run") if line.startswith("epoch ")]
    assert len(seconds) == 2
    assert sum(seconds[epochs:]) <= wall + 0.1  # each is rounded to a tenth


@pytest.mark.training
def test_overwriting_a_run_starts_its_log_anew(copy_of_quick_run, stnkit_main):
    options = ["hydra.run.dir=run", "overwrite=true", "training.epochs=1", "placement=none"]
    assert stnkit_main("train", *QUICK, *options)[0] == 0
    assert [line.split("  ")[0] for line in logged("run") if line.startswith("epoch ")] == ["epoch 1/1"]


def test_a_name_that_is_no_text_is_escaped(tmp_path, capfd):
    with run_log(tmp_path):
        # Straight to the file: what pytest captures of it could not be sent to another process.
        LOG.handlers[-1].handle(logging.makeLogRecord({"msg": "root: " + os.fsdecode(b"caf\xe9")}))
    assert capfd.readouterr().err == ""
    assert (tmp_path / "train.log").read_bytes().endswith(b"root: caf\\udce9\n")


def test_hydras_log_escapes_a_name_that_is_no_text(tmp_path, capfd):
    config = OmegaConf.load(Path(__file__).parents[3] / "conf" / "train.yaml")
    handler = logging.FileHandler(tmp_path / "train.log", **config.hydra.job_logging.handlers.file)
    with contextlib.closing(handler):
        handler.handle(logging.makeLogRecord({"msg": os.fsdecode(b"caf\xe9")}))
    assert capfd.readouterr().err == ""
    assert (tmp_path / "train.log").read_bytes() == b"caf\\udce9\n"
