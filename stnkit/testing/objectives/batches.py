"""Checks that relate batches: the same one again, another order, fewer images."""

import torch
from torch import Tensor

from stnkit.testing.assertions import NotApplicable, close, require
from stnkit.testing.component_under_test import ComponentUnderTest
from stnkit.testing.inputs import seed_generators
from stnkit.testing.objectives.outputs import all_numbers, figures_of
from stnkit.testing.objectives.surroundings import maker, taken, trained_runs
from stnkit.testing.objectives.synthetic_run import N_IMAGES, TENSORS, SyntheticRun

# Of a figure, relative to its magnitude: a batch of another size is rounded otherwise.
ALIKE = 1e-4


def determinism(under_test: ComponentUnderTest) -> None:
    """`batch.draws` is the only source of randomness: torch's global generator changes nothing, and does not move."""
    for given in taken(under_test).main:
        found = []
        for seed in (1, 2):
            run = SyntheticRun(maker(under_test), given)
            batches = [run.batch(draws=step) for step in range(3)]
            seed_generators(seed)
            before = torch.get_rng_state()
            found.append(torch.cat([all_numbers(run.objective, batch) for batch in batches]))
            require(torch.equal(torch.get_rng_state(), before), "torch's global generator must not be used")
        close(found[1], found[0], 0, "the same batches must give the same losses and figures in another run")


def evaluation(under_test: ComponentUnderTest) -> None:
    """In eval mode, without gradients, nothing changes: the same batch gives the same once more."""
    for run in trained_runs(under_test):
        state = {name: value.clone() for name, value in run.objective.state_dict().items()}
        batches = [run.batch() for _ in range(2)]
        with torch.inference_mode():
            first, again = (all_numbers(run.objective, batch) for batch in batches)
        close(again, first, 0, "in eval mode the same batch must give the same losses and figures once more")
        for name, value in run.objective.state_dict().items():
            close(value, state[name], 0, f"in eval mode {name} must not change")


def permutation(under_test: ComponentUnderTest) -> None:
    """In eval mode figures follow their images: in another order of the batch they are the same, in that order."""
    order = [*range(5, N_IMAGES), *range(5)]
    for run in trained_runs(under_test):
        together = _figures(run, list(range(N_IMAGES)))
        for name, found in _figures(run, order).items():
            claim = f"in another order of the batch {name} must follow its image"
            close(found, together[name][order], ALIKE, claim)


def batch_independence(under_test: ComponentUnderTest) -> None:
    """In eval mode the figures of an image do not depend on the others of its batch."""
    for run in trained_runs(under_test):
        together = _figures(run, list(range(N_IMAGES)))
        for n in (1, 5):
            for name, found in _figures(run, list(range(n))).items():
                claim = f"in eval mode {name} of an image must be the same in another batch"
                close(found, together[name][:n], ALIKE, claim)


def unchanged_batch(under_test: ComponentUnderTest) -> None:
    """Nothing in a batch is changed in place."""
    for run in trained_runs(under_test):
        batch = run.batch()
        tensors = {name: getattr(batch, name) for name in TENSORS if getattr(batch, name) is not None}
        before = {name: value.detach().clone() for name, value in tensors.items()}
        all_numbers(run.objective.train(), batch)
        all_numbers(run.objective.eval(), batch)
        for name, value in tensors.items():
            close(value, before[name], 0, f"{name} of the batch must not be changed in place")


def _figures(run: SyntheticRun, rows: list[int]) -> dict[str, Tensor]:
    """The figures of some rows, where there is one for each of them, and the same for the same images."""
    batch = run.batch(rows)
    before = batch.draws.get_state()
    found = figures_of(run.objective, batch)
    if not torch.equal(batch.draws.get_state(), before):
        raise NotApplicable("measure draws random numbers")
    if any(tuple(value.shape) != (len(rows),) for value in found.values()):
        raise NotApplicable("its figures are not one number for each image")
    return found
