"""A cache of tensors stays within its bound, threads may share it, and it holds real tensors only."""

import threading

import pytest
import torch
from torch._subclasses import FakeTensorMode

import stnkit
from stnkit.families.caching import TensorCache

CPU = torch.device("cpu")


def key(n):
    return ((n,), (n,), torch.float32, CPU)


def test_the_longest_unused_basis_goes_first():
    cache = TensorCache(max_bytes=3 * 40)
    for n in range(3):
        cache.put(key(n), torch.full((10,), float(n)))
    assert cache.get(key(0)) is not None
    cache.put(key(3), torch.zeros(10))
    assert [n for n in range(4) if cache.get(key(n)) is not None] == [0, 2, 3]


def test_what_is_too_large_is_not_kept_and_makes_nothing_else_go():
    cache = TensorCache(max_bytes=3 * 40)
    cache.put(key(0), torch.zeros(10))
    cache.put(key(1), torch.zeros(31))
    assert cache.get(key(1)) is None
    assert cache.get(key(0)) is not None


@pytest.mark.slow
def test_threads_that_share_it_get_what_they_asked_for():
    cache = TensorCache(max_bytes=50 * 40)
    failures = []

    def use(start):
        try:
            for n in range(start, start + 3000):
                n %= 97
                found = cache.get(key(n))
                if found is None:
                    cache.put(key(n), torch.full((10,), float(n)))
                elif found[0] != n:
                    failures.append(n)
        except Exception as error:  # in a thread it would be lost
            failures.append(error)

    threads = [threading.Thread(target=use, args=(31 * k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(cache) <= 50


# torch warns of itself when forward mode is first used.
@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
@pytest.mark.parametrize("name", ["tps", "bspline", "piecewise_affine", "displacement"])
def test_fake_and_transformed_tensors_affect_no_later_call(name):
    family, fresh = stnkit.build("transform", name), stnkit.build("transform", name)
    theta = family.identity()[None] + 0.01

    def bend(theta):
        return family.grid(theta, (5, 6)).square().sum()

    first = torch.func.hessian(bend)(theta)
    torch.testing.assert_close(torch.func.hessian(bend)(theta), first)
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        assert family.grid(mode.from_tensor(theta), (5, 6)).shape == (1, 5, 6, 2)
        assert family.grid(mode.from_tensor(theta), (4, 6)).shape == (1, 4, 6, 2)
    for size in [(5, 6), (4, 6)]:
        grid = family.grid(theta, size)
        assert type(grid) is torch.Tensor
        assert torch.equal(grid, fresh.grid(theta, size))


@pytest.mark.no_jaxtyping
def test_caches_are_cleared_while_other_threads_make_families():
    stop = threading.Event()

    def make():
        while not stop.is_set():
            stnkit.families.LatticeBasis()

    threads = [threading.Thread(target=make) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(300):
            stnkit.clear_caches()
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@pytest.mark.no_jaxtyping
def test_clear_caches_drops_every_cached_tensor():
    family = stnkit.build("transform", "tps")
    family.grid(family.identity()[None].float(), (8, 8))
    assert len(family._cardinal_basis._cache) == 1
    stnkit.clear_caches()
    assert len(family._cardinal_basis._cache) == 0
    grid = family.grid(family.identity()[None].float(), (8, 8))
    torch.testing.assert_close(grid[0], stnkit.coordinates.lattice((8, 8)))
