"""Checks of devices, of float64 and of autocast."""

import dataclasses
import functools
from typing import Any

import torch

from stnkit.objectives import Batch
from stnkit.testing.assertions import close, finite, require
from stnkit.testing.component_under_test import ComponentUnderTest
from stnkit.testing.inputs import devices
from stnkit.testing.objectives.outputs import all_losses, figures_of, losses_of
from stnkit.testing.objectives.surroundings import maker, runs, taken
from stnkit.testing.objectives.synthetic_run import TENSORS, SyntheticRun
from stnkit.testing.other_device import Move, check_moves, moved

# Relative: outputs in bfloat16 have two to three digits, and differences of them fewer.
NARROW = 0.1


def dtype_and_device(under_test: ComponentUnderTest) -> None:
    """It moves to a device, and to float64 as with `training.precision=64-true`: its losses are there, and of it.

    Without a GPU too, all that it computes with moves to another device.
    """
    for device in devices():
        for dtype in (torch.float32, torch.float64):
            for given in taken(under_test).main:
                run = SyntheticRun(maker(under_test), given, dtype, device)
                for name, value in losses_of(run.objective, run.batch()).items():
                    same = value.dtype == dtype and value.device.type == device.type
                    sentence = f"{name} for images in {dtype} on {device}: expected that dtype and device"
                    require(same, f"{sentence}, got {value.dtype} on {value.device}")
                figures_of(run.objective, run.batch())
    for given in taken(under_test).main:
        run = SyntheticRun(maker(under_test), given)
        check_moves(functools.partial(_measure, run, run.batch()))


def autocast(under_test: ComponentUnderTest) -> None:
    """Under autocast, where outputs of the network are in bfloat16, losses are nearly the same, and figures finite."""
    for run in runs(under_test):
        expected = all_losses(run.objective.eval(), run.batch())
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = all_losses(run.objective, run.batch())
            figures = figures_of(run.objective, run.batch())
        close(found, expected, NARROW, "outputs in bfloat16 must give nearly the same losses")
        for name, value in figures.items():
            finite(value, f"{name} of outputs in bfloat16 must be finite")


def _measure(run: SyntheticRun, batch: Batch, move: Move) -> None:
    for module in (run.objective, run.network, run.transformer):
        if module is not None:
            moved(module, move)
    tensors = {name: getattr(batch, name) for name in TENSORS}
    there: dict[str, Any] = {name: move(value) for name, value in tensors.items() if value is not None}
    batch = dataclasses.replace(batch, **there)
    losses_of(run.objective, batch)
    figures_of(run.objective, batch)
