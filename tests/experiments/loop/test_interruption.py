"""Signals that ask to stop, at moments in which Python drops what their handler raises."""

import signal
import sys
import time
import weakref

import pytest

from stnkit.experiments.loop.interruption import Interrupted, interruptible
from stnkit.experiments.run_directory.record import RunRecord
from tests.helpers import QUICK, metrics


class Referred:
    pass


class Dying:
    def __del__(self):
        signal.raise_signal(signal.SIGTERM)


def in_a_callback():
    referred = Referred()
    reference = weakref.ref(referred, lambda _: signal.raise_signal(signal.SIGTERM))
    del referred
    return reference


def run_through(moment):
    with interruptible():
        moment()
        for _ in range(500):
            time.sleep(0.01)


@pytest.mark.parametrize("moment", [in_a_callback, Dying])
def test_a_signal_in_a_callback_still_stops(moment, capfd):
    hook = sys.unraisablehook
    with pytest.raises(Interrupted) as caught:
        run_through(moment)
    assert caught.value.signal_number == signal.SIGTERM
    assert capfd.readouterr().err == ""
    assert sys.unraisablehook is hook


def fails_while_it_is_left():
    try:
        signal.raise_signal(signal.SIGTERM)
    finally:
        raise RuntimeError("half changed")


def fails_of_itself():
    raise RuntimeError("half changed")


def wrapped(moment):
    try:
        moment()
    except RuntimeError as error:
        raise ValueError("not composed") from error


def test_a_signal_stops_a_run_whose_library_fails_at_it():
    with pytest.raises(Interrupted), interruptible():
        wrapped(fails_while_it_is_left)
    with pytest.raises(ValueError, match="not composed"), interruptible():
        wrapped(fails_of_itself)


def explained(kind):
    try:
        signal.raise_signal(signal.SIGTERM)
    except Interrupted as stopped:
        raise kind("another process is lost") from stopped


def test_an_error_raised_from_a_signal_explains_it():
    with pytest.raises(ValueError, match="another process is lost"), interruptible():
        explained(ValueError)
    with pytest.raises(Interrupted), interruptible():
        explained(SystemError)


def test_other_errors_in_a_callback_are_told_as_ever():
    told = []
    sys.unraisablehook, hook = told.append, sys.unraisablehook
    try:
        with interruptible():
            referred = Referred()
            reference = weakref.ref(referred, lambda _: 1 / 0)
            del referred
            assert reference() is None
    finally:
        sys.unraisablehook = hook
    assert [type(each.exc_value) for each in told] == [ZeroDivisionError]


@pytest.mark.training
@pytest.mark.parametrize(("status", "is_written"), [("running", True), ("completed", False), ("completed", True)])
def test_a_signal_next_to_a_record_is_recorded(status, is_written, stnkit_main, monkeypatch):
    update = RunRecord.update

    def interrupted(record, **values):
        stops = values.get("status") == status
        if stops and not is_written:
            signal.raise_signal(signal.SIGTERM)
        update(record, **values)
        if stops:
            signal.raise_signal(signal.SIGTERM)

    command = ["train", *QUICK, "placement=none", "training.epochs=1", "hydra.run.dir=run", "skip_completed=true"]
    with monkeypatch.context() as patched:
        patched.setattr(RunRecord, "update", interrupted)
        assert stnkit_main(*command)[0] == 143
    assert metrics("run")["status"] == "interrupted"
    assert stnkit_main(*command)[0] == 0
    assert metrics("run")["status"] == "completed"
