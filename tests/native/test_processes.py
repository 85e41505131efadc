"""Threads and processes: the same bits in all of them."""

import multiprocessing
import os
import subprocess
import sys
import threading
import types

import pytest
import torch

import stnkit
from stnkit.native import calls
from tests.native.cases import (
    affine,
    bilinear,
    image_of,
    needs_library,
    theta_of,
)

pytestmark = needs_library


@pytest.mark.skipif(sys.platform != "linux", reason="the name of torch's library")
def test_the_kernels_run_on_torchs_threads(monkeypatch):
    given = []
    monkeypatch.setattr(calls, "kernels", lambda: types.SimpleNamespace(use_threads=given.append))
    calls._share_threads()
    assert given[0] > 0


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_process_does_not_wait_for_threads():
    code = (
        "import os, torch, stnkit\n"
        "family, sampler = stnkit.build('transform', 'affine'), stnkit.build('sampler', 'bilinear')\n"
        "torch.set_num_threads(2)\n"
        "theta, image = family.identity().float().repeat(64, 1), torch.rand(64, 3, 64, 64)\n"
        "warp = lambda: bytes(stnkit.warp(family, theta, image, sampler).numpy())  # torch.equal would wait\n"
        "expected = warp()\n"
        "child = os.fork()\n"
        "same = warp() == expected\n"
        "os._exit(0 if same else 1) if child == 0 else print(os.waitpid(child, 0)[1], same)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert ran.stdout.split() == ["0", "True"], ran.stderr


@pytest.mark.process
@pytest.mark.parametrize("method", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_another_process_warps_to_the_same_bits(method):
    context = multiprocessing.get_context(method)
    with context.Pool(1) as pool:
        (found,) = pool.map(sums, [0])
    assert found == sums(0)


def sums(seed):
    theta, image = theta_of(affine(), 2).requires_grad_(), image_of(2, 1, 8, 9, seed=seed).requires_grad_()
    stnkit.warp(affine(), theta, image, bilinear()).square().sum().backward()
    return theta.grad.tolist(), image.grad.tolist()


def test_threads_warp_side_by_side():
    family, theta, image = affine(), theta_of(affine(), 8), image_of(8, 3, 64, 64)
    expected, found = stnkit.warp(family, theta, image, bilinear()), {}

    def work(index):
        found[index] = [stnkit.warp(family, theta, image, bilinear()) for _ in range(5)]

    threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(out, expected) for outs in found.values() for out in outs)
