"""Test images and class means of a trained run before and after its transformer, with the learned grid."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from stnkit.experiments.class_means import class_means
from stnkit.experiments.class_samples import captions, classes_in, of_each_class
from stnkit.experiments.data.fixed import FixedLoader
from stnkit.experiments.data.loaders import Distorted
from stnkit.experiments.data.rows import as_float
from stnkit.experiments.picture_rows import Row, transformed_rows, with_objective
from stnkit.experiments.report.dataset_options import with_options
from stnkit.experiments.report.image_strip import Strip, make_strip
from stnkit.experiments.report.runs import Run, Status
from stnkit.experiments.report.table import Cell
from stnkit.experiments.trained_run import TrainedRun, load_run
from stnkit.insertion import find_transformers
from stnkit.transformer import SpatialTransformer

MAX_CLASSES = 20
SAMPLES = 2
# Columns of images without labels.
UNLABELLED = 10
# Images for the means: they look smooth, and a cell takes seconds on a CPU. Fewer where they would take more bytes.
MEAN_IMAGES, MEAN_BYTES = 2000, 256 * 2**20
BATCH = 250
LATTICE_LINES, LATTICE_POINTS = 5, 13


@dataclass(frozen=True)
class Gallery:
    """The pictures of a cell.

    Args:
        note: the run that is shown, or the reason why there are no pictures.
        classes: one column of images for each; none without labels.
        names: of these classes.
        samples: strips of test images, one image of each class, or the first ones without labels.
        means: strips of the mean of each class, or of all without labels; none of pairs.
    """

    note: str
    classes: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    samples: tuple[Strip, ...] = ()
    means: tuple[Strip, ...] = ()


class Shown(NamedTuple):
    """Test images that are drawn: distorted, their labels, undistorted, and the classes, none without labels.

    `drawn` are the distorted images with their targets and θ.
    """

    drawn: Distorted
    labels: Tensor
    originals: Tensor
    classes: tuple[int, ...]

    @property
    def stage(self) -> str:
        """The word for the images that the network sees: where nothing distorts them they are the undistorted ones."""
        seen = self.drawn.images
        return "undistorted" if torch.equal(seen, self.originals.to(seen.dtype)) else "distorted"

    def sample(self, k: int) -> Tensor:
        """Indices of the k-th image of each class; without labels, of the k-th images that fill a row."""
        if self.classes:
            return of_each_class(self.labels, self.classes, k)
        return torch.arange(len(self.labels))[k * UNLABELLED : (k + 1) * UNLABELLED]

    def rows(self, index: Tensor) -> Distorted:
        """Some of the distorted images with their targets and θ."""
        return Distorted(self.drawn.images[index], self.drawn.labels[index], self.drawn.theta[index])


class Galleries:
    """Draws cells; test images are distorted once for all runs with the same dataset and distortion.

    Args:
        dataset: options of the datasets that replace those of the runs.
    """

    def __init__(self, dataset: Mapping[str, Any] | None = None) -> None:
        self._dataset = dict(dataset or {})
        self._shown: dict[str, Shown] = {}

    def draw(self, cell: Cell) -> Gallery:
        """The pictures of the first run of a cell that can be drawn, completed ones first.

        Args:
            cell: of the table.
        """
        reasons = []
        for run in sorted(cell.runs, key=lambda run: run.status is not Status.completed):
            try:
                return self._draw(run)
            # A plugin's component may raise anything; the page still shows the other cells.
            except Exception as error:
                reasons.append(f"no pictures of {run.path}: {' '.join(str(error).split()) or type(error).__name__}")
        others = len(reasons) - 1
        more = f"; likewise for {others} more run{'s' * (others != 1)}" if others > 0 else ""
        return Gallery(reasons[0] + more if reasons else "no run")

    def _draw(self, run: Run) -> Gallery:
        moved = with_options(run.config["dataset"], self._dataset) if self._dataset else None
        trained = load_run(run.path, dataset=moved)
        note = f"{run.path}, seed {run.seed}" + (f", {run.status}" if run.status is not Status.completed else "")
        if len(trained.data.in_shape) != 3:
            return Gallery(f"{note}: no pictures, because its images are not two-dimensional")
        shown = self._test_images(trained)
        names = captions(shown.classes, trained.data.dataset.class_names)
        with torch.no_grad():
            transformers = transformers_seeing(trained.network, shown.drawn.images[:1])
            if not transformers:
                note += f": no transformer at the input, so the network sees the {shown.stage} images"
            chosen = [index for k in range(SAMPLES) if len(index := shown.sample(k))]
            samples = tuple(
                strip
                for index in chosen
                for strip in _sample_strips(trained, transformers, shown.rows(index), shown.stage)
            )
            means = () if trained.data.dataset.pair else _mean_strips(transformers, shown)
        return Gallery(note, shown.classes, names, samples, means)

    def _test_images(self, trained: TrainedRun) -> Shown:
        # Of two runs with one root each may have known other classes there.
        metrics, dataset = trained.metrics, type(trained.data.dataset).__name__
        known = [dataset, metrics.get("dataset"), metrics.get("class_names")]
        key = json.dumps([trained.config["dataset"], trained.config["distortion"], known], sort_keys=True)
        if key not in self._shown:
            test = trained.data.fixed("test")
            classes = classes_in(test.labels, MAX_CLASSES) if trained.data.has_labels("test") else ()
            chosen = images_to_show(test, classes)
            drawn = test.rows(chosen)
            # Without labels all images are one class.
            labels = drawn.labels if classes else torch.zeros(len(chosen), dtype=torch.long)
            self._shown[key] = Shown(drawn, labels, as_float(test.originals[chosen]), classes)
        return self._shown[key]


def transformers_seeing(network: nn.Module, image: Tensor) -> list[SpatialTransformer]:
    """The transformers of a network that see the image itself, more than one where they are parallel.

    Args:
        network: with transformers anywhere.
        image: a batch that it takes.
    """
    found: list[SpatialTransformer] = []

    def look(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        assert isinstance(module, SpatialTransformer)
        if inputs[0].shape == image.shape and inputs[0].equal(image):
            found.append(module)

    hooks = [each.register_forward_pre_hook(look) for each in find_transformers(network).values()]
    try:
        network(image)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def images_to_show(test: FixedLoader, classes: tuple[int, ...]) -> Tensor:
    """The first SAMPLES images of each class, and others of these classes for the means, evenly spaced.

    Args:
        test: the test split.
        classes: that are drawn; none for images without labels, of which the first fill SAMPLES rows.
    """
    if classes:
        candidates = torch.nonzero(torch.isin(test.labels, torch.tensor(classes)))[:, 0]
        samples = [of_each_class(test.labels, classes, k) for k in range(SAMPLES)]
    else:
        candidates = torch.arange(len(test.labels))
        samples = [candidates[: SAMPLES * UNLABELLED]]
    n = max(1, min(MEAN_IMAGES, MEAN_BYTES // (4 * math.prod(test.images.shape[1:]))))
    if len(candidates) > n:
        spaced = candidates[torch.linspace(0, len(candidates) - 1, n).round().long()]
        candidates = torch.unique(torch.cat([*samples, spaced]))
    return candidates


def _sample_strips(
    trained: TrainedRun, transformers: list[SpatialTransformer], drawn: Distorted, stage: str
) -> list[Strip]:
    rows = [] if transformers else [Row(stage, drawn.images)]
    for transformer, number in _numbered(transformers):
        names = (f"{stage}{number}", f"transformed{number}")
        rows += transformed_rows(transformer, drawn.images, names, LATTICE_LINES, LATTICE_POINTS)
    rows = with_objective(rows, trained.objective, trained.batch(drawn))
    return [make_strip(row.name, row.images, lattices=row.lattices, outlines=row.outlines) for row in rows]


def _numbered(transformers: list[SpatialTransformer]) -> list[tuple[SpatialTransformer, str]]:
    """Each transformer, with its number where it has others beside it."""
    several = len(transformers) > 1
    return [(transformer, f" {k}" if several else "") for k, transformer in enumerate(transformers, start=1)]


def _mean_strips(transformers: list[SpatialTransformer], shown: Shown) -> tuple[Strip, ...]:
    n_classes = int(shown.labels.max()) + 1
    stages = {"undistorted": shown.originals, shown.stage: shown.drawn.images}
    for transformer, number in _numbered(transformers):
        batches = torch.split(shown.drawn.images, BATCH)
        stages[f"transformed{number}"] = torch.cat([transformer(batch) for batch in batches])
    classes = list(shown.classes or (0,))
    means = {name: class_means(images.float(), shown.labels, n_classes)[classes] for name, images in stages.items()}
    # One gray scale for all: a blurred mean is also dim.
    white = max(float(mean.max()) for mean in means.values()) or 1.0
    return tuple(make_strip(name, mean, white) for name, mean in means.items())
