"""The synthetic runs that an objective takes: of images, of volumes, single ones and pairs."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from stnkit.errors import InputError
from stnkit.objectives import Objective
from stnkit.testing.assertions import NotApplicable
from stnkit.testing.component_under_test import N_CLASSES, ComponentUnderTest, building_for
from stnkit.testing.image_shapes import ImageShapes, find_image_shapes
from stnkit.testing.objectives.outputs import all_numbers
from stnkit.testing.objectives.synthetic_run import Surroundings, SyntheticRun, offered

# As the network reads them: an even number of channels is also a pair. An objective may refuse some, not all.
TYPICAL = [(1, 20, 16), (2, 16, 20), (6, 18, 16), (2, 12, 10, 11)]


@dataclass(frozen=True)
class Taken:
    """The surroundings that an objective takes: of single images, or of pairs where it needs them.

    Args:
        shapes: the shapes of images for which it takes any.
        by_shape: the surroundings of each of them.
    """

    shapes: ImageShapes
    by_shape: dict[tuple[int, ...], Surroundings]

    @property
    def main(self) -> list[Surroundings]:
        """Those of images; of volumes, if it takes no images."""
        return [self.by_shape[shape] for shape in self.shapes.main]

    @property
    def others(self) -> list[Surroundings]:
        """Those of volumes, if it takes images too.

        Raises:
            NotApplicable: with the reason why it takes one of the two only.
        """
        return [self.by_shape[shape] for shape in self.shapes.others]


def taken(under_test: ComponentUnderTest) -> Taken:
    """The surroundings that the objective does not refuse.

    Raises:
        NotBuilt: when it refuses all, or raises another error.
    """
    if "taken" not in under_test.cached:
        options = under_test.options
        by_shape: dict[tuple[int, ...], Surroundings] = {}

        def use(shape: tuple[int, ...]) -> _Used:
            run = _first_run(under_test, shape)
            by_shape[shape] = run.given
            return _Used(run)

        shapes = [tuple(options["in_shape"])] if "in_shape" in options else TYPICAL
        under_test.cached["taken"] = Taken(find_image_shapes(shapes, use), by_shape)
    found: Taken = under_test.cached["taken"]
    return found


def pair_runs(under_test: ComponentUnderTest) -> Iterator[SyntheticRun]:
    """New runs on pairs of images, for an objective that takes single ones too.

    Raises:
        NotApplicable: when it needs pairs, or refuses them.
    """
    main, refusals = taken(under_test).main, []
    if main[0].pair:
        raise NotApplicable("it needs pairs, and is checked for these")
    found = False
    for given in main:
        try:
            run = first_accepted(under_test, given.shape, pair=True)
        except InputError as error:
            refusals.append(error)
        else:
            found = True
            yield run
    if not found:
        raise NotApplicable(f"it takes single images only: {refusals[-1]}")


def runs(under_test: ComponentUnderTest) -> Iterator[SyntheticRun]:
    """New runs, each with a new objective that was not used before, for all surroundings of images that it takes.

    Args:
        under_test: the component.
    """
    for given in taken(under_test).main:
        yield SyntheticRun(maker(under_test), given)


def trained_runs(under_test: ComponentUnderTest) -> Iterator[SyntheticRun]:
    """The same, in eval mode after two steps of training.

    Args:
        under_test: the component.
    """
    for run in runs(under_test):
        for step in range(2):
            run.objective.train().losses(run.batch(draws=step))
        run.objective.eval()
        yield run


def maker(under_test: ComponentUnderTest) -> Callable[..., Objective]:
    """(arguments of the program) ↦ a new objective, or a copy of the one that was given.

    Args:
        under_test: the component.
    """

    def make(**supplied: Any) -> Objective:
        objective: Objective = under_test.constructed(**supplied)
        if under_test.component is None:
            try:
                objective = copy.deepcopy(objective)
            except Exception as error:
                raise NotApplicable("it takes a second object, and this one cannot be copied") from error
        return objective

    return make


class _Used:
    """A run that is used as a module is, by its losses and figures."""

    def __init__(self, run: SyntheticRun) -> None:
        self.run = run

    def eval(self) -> "_Used":
        return self

    def __call__(self, images: torch.Tensor) -> None:
        all_numbers(self.run.objective, self.run.batch())


def _first_run(under_test: ComponentUnderTest, shape: tuple[int, ...]) -> SyntheticRun:
    with building_for(shape):
        return first_accepted(under_test, shape)


def first_accepted(under_test: ComponentUnderTest, shape: tuple[int, ...], *, pair: bool = False) -> SyntheticRun:
    """A new run with images of a shape, with the first form of targets that the objective does not refuse.

    Args:
        under_test: the component.
        shape: (C, *size) of the images as the network reads them.
        pair: True for pairs, also if the objective does not need them.

    Raises:
        InputError: when it refuses all.
    """
    make, n_classes = maker(under_test), under_test.options.get("n_classes", N_CLASSES)
    needs = make(in_shape=shape).needs
    refusal = InputError(f"expected an even number of channels, those of two images, got {shape[0]}")
    for index, given in enumerate(offered(needs, shape, n_classes, pair=pair or "pair" in needs)):
        try:
            return SyntheticRun(make, given)
        except InputError as error:
            refusal = refusal if index else error
    raise refusal
