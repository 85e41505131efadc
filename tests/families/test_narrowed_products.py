"""Settings that narrow products of float32 leave grids as they are. TF32, which a CPU does not have, is simulated."""

import math

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import stnkit
from stnkit import coordinates

aten = torch.ops.aten
PRODUCTS = {aten.mm.default, aten.bmm.default, aten.addmm.default, aten.baddbmm.default}
FAMILIES = {
    "tps": {},
    "tps, of many points": {"control_points": [12, 12]},
    "piecewise_affine": {},
    "piecewise_affine, along axes": {"control_points": [9, 9]},
    "bspline": {},
    "displacement": {},
    "bspline in 3D": {"control_points": [4, 5, 4], "ndim": 3},
    "projective": {},
    "homography4": {},
    "similarity": {},
    "euclidean in 3D": {"ndim": 3},
    "velocity": {},
    "cpab": {},
    "cpab, of many cells": {"cells": [20, 20]},
    "cpab, of equal areas": {"volume_preserving": True},
}


def rounded(tensor):
    """To the 10 bits that TF32 has behind the point."""
    if tensor.dtype != torch.float32:
        return tensor
    return ((tensor.contiguous().view(torch.int32) + 0x1000) & ~0x1FFF).view(torch.float32)


class TensorCores(TorchDispatchMode):
    """Rounds the factors of all products to TF32, and what is added to them not."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function in PRODUCTS:
            *added, first, second = args
            args = (*added, rounded(first), rounded(second))
        return function(*args, **(kwargs or {}))


@pytest.fixture
def tensor_cores():
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    with TensorCores():
        yield
    torch.set_float32_matmul_precision(before)


def grid_and_truth(name):
    """The grid in float32, and what `forward` says in float64."""
    family = stnkit.build("transform", name.split(",")[0].split(" ")[0], **FAMILIES[name])
    generator = torch.Generator().manual_seed(0)
    theta = family.identity()[None] + 0.05 * torch.randn(3, family.n_params, generator=generator, dtype=torch.float64)
    theta = theta.float()
    size = (40, 37) if family.ndim == 2 else (6, 5, 7)
    lattice = coordinates.lattice(size, dtype=torch.float64).view(1, -1, family.ndim)
    return family.grid(theta, size), family(theta.double(), lattice).view(3, *size, family.ndim)


def test_the_simulation_rounds(tensor_cores):
    pi = torch.full((1, 1), math.pi)
    assert 1e-5 < abs(float(pi @ torch.ones(1, 1)) - math.pi) < 1e-3


@pytest.mark.parametrize("name", FAMILIES)
def test_a_grid_is_as_exact_where_products_are_narrowed(tensor_cores, name):
    grid, truth = grid_and_truth(name)
    assert grid.dtype == torch.float32
    assert (grid - truth).abs().max() < 2e-6


@pytest.mark.parametrize("name", ["tps", "piecewise_affine", "piecewise_affine, along axes", "bspline", "displacement"])
def test_it_would_not_be_without_looking_at_the_setting(tensor_cores, monkeypatch, name):
    monkeypatch.setattr(coordinates, "products_are_narrowed", lambda: False)
    grid, truth = grid_and_truth(name)
    assert (grid - truth).abs().max() > 2e-5


def test_a_family_follows_the_setting_from_call_to_call(tensor_cores):
    family = stnkit.build("transform", "tps")
    theta = family.identity()[None].float()
    narrowed = family.grid(theta, (30, 31))
    torch.set_float32_matmul_precision("highest")
    assert coordinates.products_are_narrowed() is False
    exact = family.grid(theta, (30, 31))
    torch.set_float32_matmul_precision("high")
    assert torch.equal(family.grid(theta, (30, 31)), narrowed)
    lattice = coordinates.lattice((30, 31))
    assert (narrowed[0] - lattice).abs().max() < 1e-6
    # In float32, and rounded by the simulation, which does not look at the setting.
    assert (exact[0] - lattice).abs().max() > 1e-5


def test_the_newer_settings_of_single_backends_count_too(tensor_cores):
    if not hasattr(torch.backends.cuda.matmul, "fp32_precision"):
        pytest.skip("this torch has one setting only")
    torch.set_float32_matmul_precision("highest")
    assert not coordinates.products_are_narrowed()
    torch.backends.cuda.matmul.fp32_precision = "tf32"
    try:
        assert coordinates.products_are_narrowed()
    finally:
        torch.backends.cuda.matmul.fp32_precision = "ieee"
