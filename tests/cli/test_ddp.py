"""One run in two processes is the run in one, up to rounding."""

import signal
import time

import pytest
import torch

from tests.helpers import QUICK, metrics

# Five steps in an epoch, the last of them with 173 images: 86 for one process and 87 for the other.
RUN = [
    *(*QUICK, "seed=1", "training.optimizer=sgd", "training.learning_rate=0.05", "training.checkpoint_every=3"),
    "training.equivariance.weight=1",
]
TWO = ["training.devices=2", "training.strategy=ddp", "training.accelerator=cpu"]


def weights(run_dir):
    return torch.load(run_dir / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


def assert_same_run(expected, got):
    told, other = metrics(expected), metrics(got)
    assert other["status"] == "completed"
    assert other["test_error"] == told["test_error"]
    assert other["test_loss"] == pytest.approx(told["test_loss"], rel=1e-5)
    assert [row["train_error"] for row in other["history"]] == [row["train_error"] for row in told["history"]]
    for row, other_row in zip(told["history"], other["history"], strict=True):
        assert other_row == pytest.approx(row, rel=1e-4, abs=1e-6)
    a, b = weights(expected), weights(got)
    assert a.keys() == b.keys()
    for name in a:
        in_float64 = a[name].dtype == torch.float64
        rtol, atol = (1e-9, 1e-12) if in_float64 else (1e-4, 1e-6)
        torch.testing.assert_close(b[name], a[name], rtol=rtol, atol=atol)


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.training
def test_two_processes_end_where_one_does_also_in_a_sweep(warm_ranks, stnkit_main, tmp_path):
    # In float64, in which an error of the mathematics is not hidden by that of sums in another order.
    run = [*RUN, "training.precision=64-true"]
    code, _, err = stnkit_main("train", *run, "hydra.run.dir=one", "training.accelerator=cpu")
    assert code == 0, err
    code, out, err = stnkit_main("train", "-m", *run, *TWO, "training.learning_rate=1e200,0.05", "hydra.sweep.dir=two")
    # What one of the processes finds wrong is one sentence and ends both.
    assert code == 2, err
    (line,) = [line for line in err.splitlines() if "is not finite in step" in line]
    assert line.startswith("stnkit train: ")
    assert "Traceback" not in err
    assert metrics(tmp_path / "two" / "0")["status"] == "failed"
    assert "is not finite in step" in metrics(tmp_path / "two" / "0")["error"]
    assert_same_run(tmp_path / "one", tmp_path / "two" / "1")
    assert out.count("test error") == 1
    # One process writes, and nothing twice.
    assert sorted(path.name for path in (tmp_path / "two" / "1").iterdir()) == sorted(
        path.name for path in (tmp_path / "one").iterdir()
    )


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.training
def test_two_processes_weigh_the_classes_of_the_whole_batch(warm_ranks, stnkit_main, tmp_path):
    run = [*RUN, "training.precision=64-true", "objective.class_weights=[8,0,1,1,1,4,1,1,1,0.5]"]
    for name, processes in (("one", ["training.accelerator=cpu"]), ("two", TWO)):
        code, _, err = stnkit_main("train", *run, *processes, f"hydra.run.dir={name}")
        assert code == 0, err
    assert_same_run(tmp_path / "one", tmp_path / "two")


@pytest.mark.slow
@pytest.mark.training
def test_two_processes_stop_at_the_same_step_and_one_can_go_on(stnkit_process, stnkit_main, tmp_path):
    long = [*RUN, "training.epochs=12"]
    process = stnkit_process("train", *long, *TWO, "hydra.run.dir=run")
    while process.poll() is None:
        path = tmp_path / "run" / "metrics.json"
        if path.is_file() and metrics(path.parent).get("epoch", 0) > 0:
            process.send_signal(signal.SIGTERM)
            break
        time.sleep(0.01)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 143, err
    assert "continues it" in err
    assert "Traceback" not in err
    told = metrics(tmp_path / "run")
    assert told["status"] == "interrupted"
    assert len(told["history"]) == told["epoch"] > 0
    saved = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    # The sums of both are in the checkpoint.
    assert saved["train_sums"]["images"] == (saved["global_step"] % 5) * 256

    code, _, err = stnkit_main("train", "resume=run", "training.devices=1")
    assert code == 0, err
    assert stnkit_main("train", *long, "hydra.run.dir=one", "training.accelerator=cpu")[0] == 0
    assert_same_run(tmp_path / "one", tmp_path / "run")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["training.devices=0"], "training.devices: expected a number of at least 1, got 0"),
        (["training.devices=2", "training.strategy=fsdp"], "training.strategy: expected one of auto, ddp"),
        (["training.devices=2", "training.batch_size=3"], "at least 2 images for each of the 2 devices, got 3"),
    ],
)
def test_options_that_exclude_several_processes_are_refused(overrides, message, stnkit_main):
    code, _, err = stnkit_main("train", *QUICK, *overrides)
    assert code == 2
    assert message in err
