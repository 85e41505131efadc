"""What is made from sizes is made once, within a bound in bytes, and by whoever traces for himself."""

import threading

import pytest
import torch
from torch._subclasses import FakeTensorMode

import stnkit
from stnkit.families import memory


def counted():
    """A kept function of a number of elements, and the calls that reached it."""
    calls = []

    @stnkit.kept
    def zeros(n):
        calls.append(n)
        return torch.zeros(n)

    return zeros, calls


def test_it_is_made_once():
    zeros, calls = counted()
    assert zeros(3) is zeros(3)
    assert zeros(4).shape == (4,)
    assert calls == [3, 4]


def test_several_tensors_are_kept_together():
    @stnkit.kept
    def pair(n):
        return torch.zeros(n), torch.ones(n)

    assert pair(2) is pair(2)


def test_the_oldest_make_room_and_what_is_too_large_is_made_each_time(monkeypatch):
    monkeypatch.setattr(memory, "KEPT_BYTES", 3 * (4000 + 1024))
    zeros, calls = counted()
    for n in (1000, 1001, 999, 998):
        zeros(n)
    zeros(1001)
    zeros(1000)
    assert calls == [1000, 1001, 999, 998, 1000]
    assert zeros(10**6).shape == zeros(10**6).shape
    assert calls[-2:] == [10**6, 10**6]


def test_a_caller_without_gradient_or_in_inference_mode_leaves_what_a_later_one_can_train_with():
    zeros, _ = counted()
    with torch.inference_mode():
        zeros(3)
    weight = torch.ones(3, requires_grad=True)
    (weight * zeros(3)).sum().backward()
    assert torch.equal(weight.grad, torch.zeros(3))


def test_what_is_made_of_fake_tensors_is_not_kept():
    zeros, calls = counted()
    with FakeTensorMode():
        zeros(3)
    assert type(zeros(3)) is torch.Tensor
    assert calls == [3, 3]


def test_threads_get_what_they_asked_for(monkeypatch):
    monkeypatch.setattr(memory, "KEPT_BYTES", 20 * 1100)
    zeros, _ = counted()
    wrong = []

    def use(start):
        try:
            wrong.extend(n for n in (k % 37 for k in range(start, start + 2000)) if len(zeros(n)) != n)
        except Exception as error:  # in a thread it would be lost
            wrong.append(error)

    threads = [threading.Thread(target=use, args=(11 * k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.no_jaxtyping
def test_what_is_compiled_makes_its_own():
    zeros, calls = counted()
    torch.compile(lambda x: x + zeros(3), backend="eager", fullgraph=True)(torch.ones(3))
    zeros(3)
    assert calls == [3, 3]
