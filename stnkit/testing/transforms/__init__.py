"""The checks of `TransformFamily`: its contract as properties.

θ are small random steps from `identity()`, since nothing else is known of a family that the kit has never seen.
"""

from stnkit.testing.contracts import final_methods
from stnkit.testing.transforms.algebra import composition, inverse, linearity
from stnkit.testing.transforms.arguments import unchanged_arguments
from stnkit.testing.transforms.construction import config, construction, identity, lattice
from stnkit.testing.transforms.correspondences import fit
from stnkit.testing.transforms.differentiation import after_inference_mode, entries, gradients
from stnkit.testing.transforms.evaluation import (
    batch_independence,
    empty_batch,
    forward_agrees_with_grid,
    grid_sizes,
    shapes,
)
from stnkit.testing.transforms.hooks import bending_energy, matrix_form
from stnkit.testing.transforms.persistence import compiled, deep_copied, pickled, state_dict
from stnkit.testing.transforms.precision import autocast, dtype_and_device, half_precision
from stnkit.testing.transforms.refusals import wrong_points, wrong_size, wrong_theta
from stnkit.testing.transforms.robustness import large_theta, nan_points, nan_theta
from stnkit.testing.transforms.weights import changed_weights

CHECKS = (
    construction,
    final_methods,
    config,
    unchanged_arguments,
    identity,
    shapes,
    grid_sizes,
    empty_batch,
    dtype_and_device,
    half_precision,
    autocast,
    batch_independence,
    forward_agrees_with_grid,
    inverse,
    composition,
    linearity,
    matrix_form,
    bending_energy,
    fit,
    lattice,
    gradients,
    entries,
    large_theta,
    nan_theta,
    nan_points,
    wrong_theta,
    wrong_points,
    wrong_size,
    after_inference_mode,
    changed_weights,
    state_dict,
    pickled,
    deep_copied,
    compiled,
)
