import json
import multiprocessing
import threading

import pytest
import torch

import stnkit
from stnkit.experiments.run_directory.checkpoints import AtomicCheckpointIO, verify_checkpoint
from stnkit.experiments.run_directory.record import RunRecord, read_record, write_atomically


def test_every_update_is_on_disk_when_the_call_returns(tmp_path):
    record = RunRecord(tmp_path / "run")
    record.update(status="running", seed=3)
    assert read_record(tmp_path / "run") == {"status": "running", "seed": 3}
    record.update(status="completed")
    assert read_record(tmp_path / "run") == {"status": "completed", "seed": 3}
    assert [p.name for p in (tmp_path / "run").iterdir()] == ["metrics.json"]


def test_a_number_that_is_not_finite_is_null_so_that_any_reader_can_read_it(tmp_path):
    RunRecord(tmp_path).update(test_loss=float("nan"), history=[{"loss": float("inf")}])
    text = (tmp_path / "metrics.json").read_text()
    assert json.loads(text, parse_constant=pytest.fail) == {"test_loss": None, "history": [{"loss": None}]}


def test_a_reader_never_sees_half_a_file(tmp_path):
    path = tmp_path / "metrics.json"
    write_atomically(path, json.dumps({"n": 0, "ballast": "x" * 100_000}))
    done = threading.Event()
    seen = []

    def read():
        while not done.is_set():
            seen.append(json.loads(path.read_text())["n"])

    reader = threading.Thread(target=read)
    reader.start()
    for n in range(1, 60):
        write_atomically(path, json.dumps({"n": n, "ballast": "x" * 100_000}))
    done.set()
    reader.join()
    assert seen == sorted(seen)
    assert len(seen) > 1


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "metrics.json"
    write_atomically(path, "old")
    monkeypatch.setattr("os.fsync", lambda handle: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["metrics.json"]


def test_what_is_not_an_object_is_no_record(tmp_path):
    (tmp_path / "metrics.json").write_text("[1]")
    with pytest.raises(ValueError, match="is not a JSON object"):
        read_record(tmp_path)
    assert read_record(tmp_path / "nowhere") is None


def _save_and_die(path):
    import os

    original = torch.save

    def half(state, target):
        original(state, target)
        target.truncate(100)
        os._exit(9)

    torch.save = half
    AtomicCheckpointIO().save_checkpoint({"weight": torch.ones(1000)}, path)


def test_a_process_that_dies_while_saving_leaves_the_old_checkpoint(tmp_path):
    path = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint({"weight": torch.zeros(3)}, path)
    process = multiprocessing.get_context("spawn").Process(target=_save_and_die, args=(path,))
    process.start()
    process.join()
    assert process.exitcode == 9
    assert torch.equal(torch.load(path, weights_only=True)["weight"], torch.zeros(3))


@pytest.mark.parametrize("keep", [0, 10, 400])
def test_a_checkpoint_cut_short_is_refused(tmp_path, keep):
    path = tmp_path / "last.ckpt"
    torch.save({"weight": torch.zeros(1000)}, path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(stnkit.errors.CheckpointError, match=r"is cut short or damaged|holds more than"):
        verify_checkpoint(path)


class Evil:
    def __reduce__(self):
        return (exec, ("raise SystemExit('executed')",))


def test_a_checkpoint_with_code_in_it_is_refused_and_not_executed(tmp_path):
    path = tmp_path / "last.ckpt"
    torch.save({"weight": Evil()}, path)
    with pytest.raises(stnkit.errors.CheckpointError, match="code is not loaded"):
        verify_checkpoint(path)


def test_a_missing_checkpoint_says_so(tmp_path):
    with pytest.raises(stnkit.errors.CheckpointError, match="there is no checkpoint"):
        verify_checkpoint(tmp_path / "last.ckpt")
