"""The synthetic runs that an objective takes: of images, of volumes, single ones and pairs."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from stnkit.errors import DataError, InputError, NotInstalledError, one_line
from stnkit.objectives import Objective
from stnkit.testing.assertions import LONGEST_REASON, NotApplicable, NotBuilt
from stnkit.testing.component_under_test import N_CLASSES, ComponentUnderTest
from stnkit.testing.image_shapes import ImageShapes, find_image_shapes
from stnkit.testing.objectives.outputs import all_numbers
from stnkit.testing.objectives.synthetic_run import Surroundings, SyntheticRun, offered

# As the network reads them: an even number of channels is also a pair. An objective may refuse some, not all.
TYPICAL = [(1, 20, 16), (2, 16, 20), (6, 18, 16), (2, 12, 10, 11)]


@dataclass(frozen=True)
class Taken:
    """The surroundings that an objective takes.

    Args:
        shapes: the shapes of images for which it takes any.
        by_shape: the surroundings of each shape.
    """

    shapes: ImageShapes
    by_shape: dict[tuple[int, ...], list[Surroundings]]

    @property
    def main(self) -> list[Surroundings]:
        """Those of images; of volumes, if it takes no images."""
        return [given for shape in self.shapes.main for given in self.by_shape[shape]]

    @property
    def others(self) -> list[Surroundings]:
        """Those of volumes, if it takes images too.

        Raises:
            NotApplicable: with the reason why it takes one of the two only.
        """
        return [given for shape in self.shapes.others for given in self.by_shape[shape]]


def taken(under_test: ComponentUnderTest) -> Taken:
    """The surroundings that the objective does not refuse.

    Raises:
        NotBuilt: when it refuses all, or raises another error.
    """
    if "taken" not in under_test.cached:
        options = under_test.options
        by_shape: dict[tuple[int, ...], list[Surroundings]] = {}

        def try_shape(shape: tuple[int, ...]) -> _Tried:
            tried = _try_shape(under_test, shape)
            by_shape[shape] = [run.given for run in tried.runs]
            return tried

        shapes = [tuple(options["in_shape"])] if "in_shape" in options else TYPICAL
        under_test.cached["taken"] = Taken(find_image_shapes(shapes, try_shape), by_shape)
    found: Taken = under_test.cached["taken"]
    return found


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


class _Tried:
    """Runs for images of one shape, which are used as a module is."""

    def __init__(self, runs: list[SyntheticRun]) -> None:
        self.runs = runs

    def eval(self) -> "_Tried":
        return self

    def __call__(self, images: torch.Tensor) -> None:
        for run in self.runs:
            all_numbers(run.objective, run.batch())


def _try_shape(under_test: ComponentUnderTest, shape: tuple[int, ...]) -> _Tried:
    """The runs that the objective takes for images of a shape: of each group the first one that it does not refuse."""
    make, n_classes = maker(under_test), under_test.options.get("n_classes", N_CLASSES)
    found: list[SyntheticRun] = []
    refusals: list[InputError] = []
    try:
        for group in offered(make(in_shape=shape).needs, shape, n_classes):
            for given in group:
                try:
                    found.append(SyntheticRun(make, given))
                except InputError as error:
                    refusals.append(error)
                else:
                    break
    except InputError:
        raise
    except DataError as error:
        raise NotApplicable(f"its data is not here: {error}") from error
    except NotInstalledError as error:
        raise NotApplicable(str(error)) from error
    except NotApplicable:
        raise
    except Exception as error:
        reason = one_line(error, LONGEST_REASON)
        raise NotBuilt(f"it cannot be built for images of {list(shape)}: {reason}") from error
    if not found:
        raise refusals[0] if refusals else InputError(f"expected pairs, an even number of channels, got {shape[0]}")
    return _Tried(found)
