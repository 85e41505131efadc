"""The record of a dataset in metrics.json, and a dataset of that record alone: for images that are elsewhere now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from torch import Tensor

from stnkit.datasets import Dataset, Split
from stnkit.errors import StnkitError
from stnkit.experiments.data.value_range import value_range
from stnkit.files.arrays import ArrayLayout
from stnkit.packing.decoding import Decoding
from stnkit.packing.fitting import Fit


def facts_of(dataset: Dataset, *, uses_labels: bool, images: Tensor | None = None) -> dict[str, Any]:
    """The part of metrics.json about a dataset, besides the names of its classes: all that a network is built from.

    Args:
        dataset: of the run.
        uses_labels: True if the objective uses classes, which must stay what they are.
        images: of the training, whose range of values is noted; None for images that are not there.
    """
    facts: dict[str, Any] = {
        "image_shape": [int(n) for n in dataset.image_shape],
        "n_classes": int(dataset.n_classes),
        "target_shape": None if dataset.target_shape is None else [int(n) for n in dataset.target_shape],
        "pair": bool(dataset.pair),
        "uses_labels": uses_labels,
    }
    if images is not None:
        facts["value_range"] = value_range(images)
    decoding = getattr(getattr(dataset, "images", None), "decoding", None)
    if isinstance(decoding, Decoding):
        facts |= {"fit": decoding.fit.value, "background": list(decoding.background)}
    layout = getattr(dataset, "layout", None)
    return facts | ({"layout": layout.value} if isinstance(layout, ArrayLayout) else {})


def difference(metrics: Mapping[str, Any], dataset: Dataset) -> str | None:
    """The first difference between a dataset and that of a run, as one sentence; None for none.

    Args:
        metrics: the content of metrics.json; those of earlier versions say too little to compare.
        dataset: to compare.
    """
    facts = metrics.get("dataset")
    if facts is None:
        return None
    found = [int(n) for n in dataset.image_shape]
    if facts["image_shape"] != found:
        return f"expected images of shape {facts['image_shape']}, as the run was trained on, got {found}"
    if not facts.get("uses_labels", True):
        return None
    return difference_of_classes(facts["n_classes"], metrics.get("class_names"), dataset)


def difference_of_classes(n_classes: int, names: Sequence[str] | None, dataset: Dataset) -> str | None:
    """The first difference between the classes of a dataset and those of a run; None for none.

    Args:
        n_classes: number of classes of the run.
        names: of these, by label; None where they have none.
        dataset: to compare.
    """
    if n_classes != dataset.n_classes:
        return f"expected a dataset of {n_classes} classes, as the run was trained on, got {dataset.n_classes}"
    pairs = zip(names or (), dataset.class_names or (), strict=False)
    return next(
        (
            f"expected class {label} to be {ours}, as in the training of the run, got {theirs}"
            for label, (ours, theirs) in enumerate(pairs)
            if ours != theirs
        ),
        None,
    )


@final
class RecordedDataset(Dataset):
    """A dataset whose images cannot be read: all else is as in training.

    Args:
        metrics: the content of metrics.json, with what `facts_of` gave.
        reason: the error that reading a split raises.
    """

    def __init__(self, metrics: Mapping[str, Any], reason: StnkitError) -> None:
        facts, names = metrics["dataset"], metrics.get("class_names")
        self.image_shape, self.n_classes = tuple(facts["image_shape"]), facts["n_classes"]
        self.class_names = None if names is None else tuple(names)
        self.target_shape = None if facts["target_shape"] is None else tuple(facts["target_shape"])
        self.pair = facts["pair"]
        if "fit" in facts:
            red, green, blue = facts["background"]
            self.images = _Images(Decoding(fit=Fit(facts["fit"]), background=(red, green, blue)))
        if "layout" in facts:
            self.layout = ArrayLayout(facts["layout"])
        self._reason = reason

    def split(self, name: Split) -> tuple[Tensor, Tensor]:
        """Raise the reason."""
        raise self._reason


@dataclass(frozen=True)
class _Images:
    decoding: Decoding
