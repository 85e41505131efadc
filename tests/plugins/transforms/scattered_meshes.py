"""Meshes between scattered control points, and θ that fold none of their pieces."""

import torch
from scipy.spatial import Delaunay

import stnkit

from .meshes import mesh, rand


def scattered(n, ndim=2, seed=0, corners=False, **options):
    """A mesh between random points, with the corners of the image among them or not."""
    points = rand(n, ndim, seed=seed)
    if corners:
        points = torch.cat([stnkit.coordinates.corners(ndim), 0.98 * points])
    return mesh(points.tolist(), ndim=ndim, **options)


def of_positions(positions, **options):
    return mesh(positions, ndim=len(positions[0]), **options)


def positions(family):
    return family._mesh.positions


def moved(family, share=0.3, n=2, seed=0):
    """θ that moves each control point by a share of the smallest height of a piece."""
    heights = 1 / torch.linalg.inv(positions(family)[family.triangles].diff(dim=1)).norm(dim=1).max()
    return family.identity() + share * heights * rand(n, family.n_params, seed=seed)


def in_hull(family, n=300, seed=5):
    points = rand(n, family.ndim, seed=seed)
    return points[torch.from_numpy(Delaunay(positions(family).numpy()).find_simplex(points.numpy()) >= 0)]
