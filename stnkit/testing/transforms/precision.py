"""Checks of dtypes and devices: coordinates are never narrower than float32."""

import functools

import torch
from torch import Tensor

from stnkit.families.family import TransformFamily
from stnkit.testing.assertions import FLOAT32, close, require
from stnkit.testing.component_under_test import ComponentUnderTest
from stnkit.testing.inputs import SIZE, devices, points_of, theta_of
from stnkit.testing.other_device import Move, check_moves, moved


def dtype_and_device(under_test: ComponentUnderTest) -> None:
    """float32 gives float32 and float64 float64, on the device of θ: the CPU, and the GPU if there is one.

    Without a GPU too, all that it computes with moves to another device.
    """
    for device in devices():
        family = under_test.another().to(device)
        for dtype in (torch.float32, torch.float64):
            theta, points = (t.to(device, dtype) for t in (theta_of(family), points_of(family)))
            for name, found in (
                ("forward", family(theta, points)),
                ("grid", family.grid(theta, SIZE[family.ndim])),
                ("inverse", family.inverse(theta, points)),
            ):
                same = found.dtype == dtype and found.device.type == device.type
                require(same, f"{name}: expected {dtype} on {device}, got {found.dtype} on {found.device}")
    family = under_test.another()
    check_moves(functools.partial(_evaluate, family, theta_of(family).float(), points_of(family).float()))


def half_precision(under_test: ComponentUnderTest) -> None:
    """A θ of half precision, and a family that was cast by `.half()`, give coordinates in float32 or wider."""
    family: TransformFamily = under_test.another()
    size = SIZE[family.ndim]
    for dtype in (torch.float16, torch.bfloat16):
        theta = theta_of(family, spread=0.1, dtype=dtype)
        grid = family.grid(theta, size)
        _require_wide(grid, f"the grid of a θ in {dtype}")
        claim = f"the grid of a θ in {dtype} must be that of the same numbers in float32"
        close(grid, family.grid(theta.float(), size), FLOAT32, claim)
    theta = theta_of(family, dtype=torch.float32)
    expected = family.grid(theta, size)
    if not list(family.parameters()):
        claim = "casting the family by .half() must not narrow coordinates"
        close(family.half().grid(theta, size), expected, FLOAT32, claim)


def autocast(under_test: ComponentUnderTest) -> None:
    """Autocast changes neither points nor grid: coordinates stay in float32."""
    family: TransformFamily = under_test.built()
    theta, points = theta_of(family, spread=0.1, dtype=torch.float32), points_of(family).float()
    expected = family(theta, points), family.grid(theta, SIZE[family.ndim])
    with torch.autocast("cpu", torch.bfloat16):
        found = family(theta, points), family.grid(theta, SIZE[family.ndim])
    for name, ours, theirs in zip(("forward", "grid"), found, expected, strict=True):
        _require_wide(ours, f"{name} under autocast")
        close(ours, theirs, FLOAT32, f"{name} under autocast must give the same (see coordinates.full_precision)")


def _evaluate(family: TransformFamily, theta: Tensor, points: Tensor, move: Move) -> None:
    moved(family, move)
    family(move(theta), move(points))
    family.grid(move(theta), SIZE[family.ndim])


def _require_wide(found: Tensor, name: str) -> None:
    wide = found.dtype in (torch.float32, torch.float64)
    require(wide, f"{name}: expected float32 or wider, got {found.dtype}")
