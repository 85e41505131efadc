"""Classification by cross-entropy."""

import math
from collections.abc import Iterable, Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float, Shaped
from torch import Tensor

import stnkit
from stnkit.objectives import Batch, Figure


class Classification(stnkit.Objective):
    """−log softmax(logits)[label], mean over the batch; judged by the share of images with a wrong class.

    With class weights it is the weighted mean, Σ w[label] · loss / Σ w[label]; 0 if no image of a batch has a weight.

    Args:
        label_smoothing: share of the target's weight that is spread over all classes, 0 to below 1.
        class_weights: weight of each class in the loss, for classes of unequal size; by default all are 1.
        n_classes: of the dataset; the program supplies it.

    Raises:
        InputError: when an option is out of its range, or there is not one weight for each class.

    Example:
        >>> import stnkit
        >>> stnkit.build("objective", "classification", n_classes=10).primary
        'error'
    """

    figures: Mapping[str, Figure] = {"error": Figure("%")}
    needs = ("labels",)

    def __init__(
        self, label_smoothing: float = 0.0, class_weights: list[float] | None = None, n_classes: int = 0
    ) -> None:
        super().__init__()
        if not 0 <= label_smoothing < 1:
            raise stnkit.errors.InputError(
                f"label_smoothing: expected a number from 0 to below 1, got {label_smoothing}"
            )
        if class_weights is not None and (
            len(class_weights) != n_classes
            or not all(0 <= weight < math.inf for weight in class_weights)
            or sum(class_weights) <= 0
        ):
            raise stnkit.errors.InputError(
                f"class_weights: expected a number of at least 0 for each of the {n_classes} classes, got "
                f"{list(class_weights)}"
            )
        self.label_smoothing = label_smoothing
        self.class_weights = None if class_weights is None else torch.tensor(class_weights)

    def n_outputs(self, dataset: stnkit.Dataset) -> int:
        return dataset.n_classes

    def losses(self, batch: Batch) -> Mapping[str, Float[Tensor, ""]]:
        logits = stnkit.coordinates.widened(batch.output)
        weights = self._weights(batch)
        if weights is None:
            return {"loss": F.cross_entropy(logits, batch.targets, label_smoothing=self.label_smoothing)}
        # PyTorch's own weights are those of each output in the smoothed target, and not those of the images.
        losses = F.cross_entropy(logits, batch.targets, reduction="none", label_smoothing=self.label_smoothing)
        total = weights.sum()
        return {"loss": torch.where(total > 0, 1 / total, 0.0) * (weights * losses).sum()}

    def total_weight(self, batch: Batch) -> Float[Tensor, ""] | None:
        weights = self._weights(batch)
        return None if weights is None else weights.sum()

    def _weights(self, batch: Batch) -> Float[Tensor, "B"] | None:
        """The weight of each image."""
        if self.class_weights is None:
            return None
        return self.class_weights.to(stnkit.coordinates.widened(batch.output))[batch.targets]

    def measure(self, batch: Batch) -> Mapping[str, Shaped[Tensor, "B"]]:
        return {"error": 100.0 * (batch.output.argmax(dim=1) != batch.targets)}


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("classification", Classification)
