"""Checks of copies, pickles, saved states and compiled programs."""

import torch

from stnkit.samplers.sampler import Sampler
from stnkit.testing import round_trips
from stnkit.testing.component_under_test import ComponentUnderTest
from stnkit.testing.inputs import SIZE
from stnkit.testing.samplers.inputs import dimensions_read, grid_of, image_of, response, without_warning_of_gradient


def state_dict(under_test: ComponentUnderTest) -> None:
    """A second sampler that loads the state of the first, through a file of plain tensors, reads the same."""
    sampler: Sampler = under_test.built()
    round_trips.after_state_dict(sampler, under_test.another(), response(under_test))


def pickled(under_test: ComponentUnderTest) -> None:
    """A sampler that was used, pickled and unpickled reads the same."""
    sampler: Sampler = under_test.built()
    round_trips.after_pickle(sampler, response(under_test))


def deep_copied(under_test: ComponentUnderTest) -> None:
    """A deep copy of a sampler that was used reads the same."""
    sampler: Sampler = under_test.built()
    round_trips.after_deepcopy(sampler, response(under_test))


def compiled(under_test: ComponentUnderTest) -> None:
    """torch.compile(fullgraph=True) reads the same values, with the same gradients."""
    sampler: Sampler = under_test.built()
    ndim = dimensions_read(under_test)[0]
    image, grid = image_of(SIZE[ndim]).requires_grad_(), grid_of(SIZE[ndim]).requires_grad_()
    program = torch.compile(sampler, fullgraph=True, backend="aot_eager")
    with without_warning_of_gradient():
        round_trips.after_compile(sampler, lambda s: s(image, grid), lambda _: program(image, grid), [image, grid])
