"""Checks of the losses and figures themselves: their names, shapes, finite numbers and gradients."""

import functools

import torch
from torch import Tensor

from stnkit.testing.assertions import require
from stnkit.testing.component_under_test import ComponentUnderTest
from stnkit.testing.objectives.outputs import (
    check_figures,
    check_finite,
    check_losses,
    check_total_weight,
    figures_of,
    gradient,
    losses_of,
)
from stnkit.testing.objectives.surroundings import maker, pair_runs, runs, taken
from stnkit.testing.objectives.synthetic_run import N_IMAGES, SyntheticRun
from stnkit.testing.registration import check_registered


def losses(under_test: ComponentUnderTest) -> None:
    """`losses` gives one finite number for each name in `terms`, in training and evaluation, and so `total_weight`."""
    for run in runs(under_test):
        check_losses(run.objective.train(), run.batch())
        check_losses(run.objective.eval(), run.batch())
        check_total_weight(run.objective, run.batch())


def figures(under_test: ComponentUnderTest) -> None:
    """`measure` gives a finite number for each image and each name in `figures`, in training and evaluation."""
    for run in runs(under_test):
        check_figures(run.objective.train(), run.batch())
        check_figures(run.objective.eval(), run.batch())


def dimensions(under_test: ComponentUnderTest) -> None:
    """Volumes, (C, D, H, W), give losses and figures, if it takes both them and images."""
    for given in taken(under_test).others:
        run = SyntheticRun(maker(under_test), given)
        check_finite(run, run.batch())


def pairs(under_test: ComponentUnderTest) -> None:
    """Pairs, of which the transformer shows the moving image, give losses and figures, or it refuses them."""
    for run in pair_runs(under_test):
        check_finite(run, run.batch())


def gradients(under_test: ComponentUnderTest) -> None:
    """The gradient of the losses is finite, and reaches the transformer or the network.

    What the objective learns itself is registered.
    """
    for run in runs(under_test):
        found = gradient(run, run.batch())
        require(found.any(), "a gradient of the losses must reach the transformer or the network: none does")
        check_registered(run.objective, functools.partial(_sum_of_losses, run), run.learned)


def batch_of_one(under_test: ComponentUnderTest) -> None:
    """A batch of one image, as the last one of an epoch may be, gives finite losses, gradients and figures."""
    for run in runs(under_test):
        check_finite(run, run.batch([N_IMAGES - 1]))


def black_images(under_test: ComponentUnderTest) -> None:
    """Black images, as where θ leaves the image, give finite losses, gradients and figures."""
    for run in runs(under_test):
        check_finite(run, run.batch(black=True))


def images_of_equivariance(under_test: ComponentUnderTest) -> None:
    """With images that `training.equivariance` adds, figures are of all images, or of those whose θ is known."""
    for run in runs(under_test):
        n = {name: len(value) for name, value in figures_of(run.objective, run.batch()).items() if value.ndim == 1}
        batch = run.batch(again=N_IMAGES)
        check_finite(run, batch)
        for name, value in figures_of(run.objective, batch).items():
            sentence = f"{name}: expected a number for each of {N_IMAGES} images, or of {2 * N_IMAGES} with those added"
            right = n.get(name) != N_IMAGES or tuple(value.shape) in ((N_IMAGES,), (2 * N_IMAGES,))
            require(right, f"{sentence}, got shape {tuple(value.shape)}")


def _sum_of_losses(run: SyntheticRun) -> Tensor:
    losses = losses_of(run.objective.train(), run.batch())
    return torch.stack([torch.as_tensor(value).sum() for value in losses.values()]).sum()
