"""The memory of bases stays within its bound, and threads may share it."""

import threading

import torch

from stnkit.families.basis_cache import BasisCache

CPU = torch.device("cpu")


def key(n):
    return ((n,), (n,), torch.float32, CPU)


def test_the_longest_unused_basis_goes_first():
    cache = BasisCache(max_bytes=3 * 40)
    for n in range(3):
        cache.put(key(n), torch.full((10,), float(n)))
    assert cache.get(key(0)) is not None
    cache.put(key(3), torch.zeros(10))
    assert [n for n in range(4) if cache.get(key(n)) is not None] == [0, 2, 3]


def test_threads_that_share_it_get_what_they_asked_for():
    cache = BasisCache(max_bytes=50 * 40)
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
