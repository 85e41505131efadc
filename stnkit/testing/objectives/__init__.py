"""The checks of `Objective`, in synthetic runs that have what it needs."""

from stnkit.testing.objectives.batches import (
    batch_independence,
    determinism,
    evaluation,
    permutation,
    unchanged_batch,
)
from stnkit.testing.objectives.construction import config, construction, n_outputs, other_needs, own_modules
from stnkit.testing.objectives.persistence import deep_copied, pickled, state_dict
from stnkit.testing.objectives.pictures import pictures
from stnkit.testing.objectives.precision import autocast, dtype_and_device
from stnkit.testing.objectives.results import (
    batch_of_one,
    black_images,
    dimensions,
    figures,
    gradients,
    images_of_equivariance,
    losses,
    pairs,
)

CHECKS = (
    construction,
    config,
    n_outputs,
    losses,
    figures,
    dimensions,
    pairs,
    gradients,
    batch_of_one,
    black_images,
    images_of_equivariance,
    determinism,
    evaluation,
    permutation,
    batch_independence,
    unchanged_batch,
    pictures,
    other_needs,
    own_modules,
    dtype_and_device,
    autocast,
    state_dict,
    pickled,
    deep_copied,
)
