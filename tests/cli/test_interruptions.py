"""Runs that end before their end: nothing is lost, and the resumed run is the uninterrupted one, bit by bit."""

import functools
import signal

import pytest
import torch

from tests.helpers import QUICK, metrics

EQUIVARIANCE = ("training.equivariance.weight=1", "training.supervision=0.1")
RUN = [*QUICK, "training.epochs=3", "training.checkpoint_every=3"]  # five steps in an epoch

# Sends a signal to itself at the end of a step.
SIGNALLING = """
import os, signal, sys
import lightning
from stnkit.experiments.loop import run
from stnkit.cli.main import main

step, number = int(sys.argv[1]), int(sys.argv[2])

class Signal(lightning.Callback):
    def on_train_batch_end(self, trainer, *args):
        if trainer.global_step == step:
            os.kill(os.getpid(), number)

make_trainer = run.make_trainer

def with_signal(*args, **kwargs):
    trainer = make_trainer(*args, **kwargs)
    trainer.callbacks.insert(0, Signal())
    return trainer

run.make_trainer = with_signal
sys.exit(main(sys.argv[3:]))
"""


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, process_server):
    """The directory of a whole run with further options, made when it is first asked for."""

    @functools.cache
    def run(options):
        folder = tmp_path_factory.mktemp("uninterrupted")
        process = process_server.start("train", *RUN, *options, "hydra.run.dir=run", cwd=folder)
        assert process.wait(timeout=120) == 0, process.communicate()
        return folder / "run"

    return run


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "step", "exit_code", "status", "options"),
    [
        (signal.SIGINT, 7, 130, "interrupted", ()),
        (signal.SIGINT, 10, 130, "interrupted", ()),  # the last step of an epoch
        (signal.SIGTERM, 2, 143, "interrupted", ()),
        (signal.SIGKILL, 8, -9, "running", ()),
        (signal.SIGKILL, 1, -9, "running", ()),
        (signal.SIGINT, 7, 130, "interrupted", EQUIVARIANCE),
    ],
)
def test_a_stopped_run_goes_on_to_the_same_end(
    number, step, exit_code, status, options, stnkit_process, tmp_path, uninterrupted
):
    process = stnkit_process(step, int(number), "train", *RUN, *options, "hydra.run.dir=run", code=SIGNALLING)
    _, err = process.communicate(timeout=120)
    assert process.returncode == exit_code, err
    assert "Traceback" not in err
    told = metrics(tmp_path / "run")
    assert told["status"] == status
    saved = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)["global_step"]
    # No older than training.checkpoint_every; after a signal that can be handled not a step is lost.
    assert 0 <= step - saved <= (0 if status == "interrupted" else 3)

    process = stnkit_process("train", "resume=run")
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    expected, resumed = metrics(uninterrupted(options)), metrics(tmp_path / "run")
    assert resumed["status"] == "completed"
    assert resumed["history"] == expected["history"]
    assert resumed["test_loss"] == expected["test_loss"]
    assert resumed["pose"] == expected["pose"]
    assert "train_equivariance" in resumed["history"][-1]  # by default, with rts
    assert ("train_supervision" in resumed["history"][-1]) == bool(options)
    weights, again = (
        torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for folder in (uninterrupted(options), tmp_path / "run")
    )
    assert weights.keys() == again.keys()
    assert all(torch.equal(weights[name], again[name]) for name in weights)
    # What Hydra wrote at the start is still there, and what the first part logged.
    assert "training.epochs=3" in (tmp_path / "run" / ".hydra" / "overrides.yaml").read_text()
    assert (tmp_path / "run" / "csv").is_dir()
