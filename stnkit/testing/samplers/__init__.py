"""The checks of `Sampler`, in two and in three dimensions where it reads both."""

from stnkit.testing.contracts import final_methods
from stnkit.testing.samplers.arguments import unchanged_arguments
from stnkit.testing.samplers.construction import config, construction
from stnkit.testing.samplers.differentiation import gradient_to_grid, gradient_to_image, nan_grid
from stnkit.testing.samplers.evaluation import (
    batch_independence,
    channel_independence,
    constants,
    dimensions,
    empty_batch,
    identity,
    shapes,
)
from stnkit.testing.samplers.outside import padding
from stnkit.testing.samplers.persistence import compiled, deep_copied, pickled, state_dict
from stnkit.testing.samplers.precision import autocast, dtype_and_device, half_precision

CHECKS = (
    construction,
    final_methods,
    config,
    unchanged_arguments,
    shapes,
    dimensions,
    empty_batch,
    identity,
    constants,
    padding,
    dtype_and_device,
    half_precision,
    autocast,
    batch_independence,
    channel_independence,
    gradient_to_image,
    gradient_to_grid,
    nan_grid,
    state_dict,
    pickled,
    deep_copied,
    compiled,
)
