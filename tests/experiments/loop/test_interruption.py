"""Signals that ask to stop, at moments in which Python drops what their handler raises."""

import signal
import sys
import time
import weakref

import pytest

from stnkit.experiments.loop.interruption import Interrupted, interruptible


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
