import threading

import pytest
import torch

import stnkit
from stnkit.native import switch
from tests.native.cases import Count, affine, bilinear, image_of, needs_library, theta_of

pytestmark = needs_library


def warp():
    return stnkit.warp(affine(), theta_of(affine(), 2), image_of(2, 1, 4, 5), bilinear())


def test_it_nests_and_ends_after_an_error():
    assert switch.enabled()
    with stnkit.native.disabled():
        with pytest.raises(ZeroDivisionError), stnkit.native.disabled():
            1 / 0  # noqa: B018
        assert not switch.enabled()
        assert not switch.enabled_in_trace()
    assert switch.enabled()
    assert switch.enabled_in_trace()


def test_inside_no_kernel_runs(monkeypatch):
    count = Count(monkeypatch)
    with stnkit.native.disabled():
        expected = warp()
    assert count.forward == 0
    assert torch.allclose(warp(), expected, atol=1e-5)
    assert count.forward == 1


def test_it_is_a_decorator(monkeypatch):
    count = Count(monkeypatch)
    stnkit.native.disabled()(warp)()
    assert count.forward == 0


def test_other_threads_stay_native(monkeypatch):
    count = Count(monkeypatch)
    with stnkit.native.disabled():
        thread = threading.Thread(target=warp)
        thread.start()
        thread.join()
    assert count.forward == 1
    assert switch.enabled_in_trace()
