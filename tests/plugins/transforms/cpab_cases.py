"""Options, parameters and points of the tests of cpab."""

import torch

import stnkit

OPTIONS = [
    {"zero_boundary": zero, "volume_preserving": volume, "cells": cells}
    for zero in (True, False)
    for volume in (True, False)
    for cells in ([3, 3], [2, 4])
]


def cpab(**options):
    return stnkit.build("transform", "cpab", **options)


def drawn(family, n=2, scale=0.3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(n, family.n_params, generator=generator, dtype=torch.float64)


def points_within(reach, n=40, seed=1):
    return reach * (2 * torch.rand(1, n, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) - 1)
