"""What is made from sizes is made once, within a bound in bytes, and by whoever traces for himself."""

import pytest
import torch
from torch._subclasses import FakeTensorMode

import stnkit
from stnkit.families import caching


def counted():
    """A kept function of a number of elements, and the calls that reached it."""
    calls = []

    @stnkit.families.cached
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
    @stnkit.families.cached
    def pair(n):
        return torch.zeros(n), torch.ones(n)

    assert pair(2) is pair(2)


def test_what_is_given_by_name_counts():
    zeros, calls = counted()
    assert zeros(n=3).shape == (3,)
    assert zeros(n=4).shape == (4,)
    assert zeros(n=3) is zeros(n=3)
    assert calls == [3, 4]


def test_it_stays_within_its_bound_and_caches_nothing_larger(monkeypatch):
    monkeypatch.setattr(caching, "FUNCTION_CACHE_BYTES", 3 * 4000)
    zeros, calls = counted()
    for n in (1000, 999, 998, 997, 10**6):
        zeros(n)
    assert [zeros(n).shape for n in (999, 998, 997)] == [(999,), (998,), (997,)]
    assert calls == [1000, 999, 998, 997, 10**6]
    zeros(1000)
    zeros(10**6)
    assert calls[5:] == [1000, 10**6]


def test_values_cached_in_inference_mode_allow_training():
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


@pytest.mark.slow
@pytest.mark.no_jaxtyping
def test_what_is_compiled_makes_its_own():
    zeros, calls = counted()
    torch.compile(lambda x: x + zeros(3), backend="eager", fullgraph=True)(torch.ones(3))
    zeros(3)
    assert calls == [3, 3]


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_what_a_trace_asks_for_first_is_a_constant_of_it():
    zeros, calls = counted()
    traced = torch.jit.trace(lambda x: x + zeros(3), torch.ones(3))  # twice, to compare the graphs
    assert calls == [3]
    assert "aten::zeros" not in str(traced.graph)
