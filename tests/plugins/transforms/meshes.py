"""Meshes of control points for the tests of piecewise affine maps, and θ that fold none of their pieces."""

import torch

import stnkit

# The grid takes its dense form for the first, its products for the others of each dimension.
SHAPES = [[2, 2], [3, 5], [4, 4], [8, 9], [2, 40], [2, 2, 2], [2, 3, 4], [4, 4, 5]]


def mesh(control_points=None, **options):
    if control_points is not None:
        options.setdefault("ndim", len(control_points))
    return stnkit.build("transform", "piecewise_affine", control_points=control_points, **options)


def rand(*shape, seed=0):
    return 2 * torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) - 1


def moved(family, share=0.9, n=2, seed=0):
    """θ that moves each control point by less than what could fold a piece."""
    safe = 2 / (max(family.control_points) - 1) / (2 * family.ndim)
    return family.identity() + share * safe * rand(n, family.n_params, seed=seed)


def positions(family):
    return family.identity().view(family.ndim, -1).T
