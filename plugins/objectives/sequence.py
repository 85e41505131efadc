"""Sequences of digits: one softmax for each position."""

from collections.abc import Iterable, Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, Shaped
from torch import Tensor

import stnkit
from stnkit.errors import InputError
from stnkit.objectives import Batch, Figure, Setting


class Sequence(stnkit.Objective):
    """Σ_k −log softmax_k(logits)[target_k] over the positions k, mean over the batch.

    Each position has n_classes + 1 outputs: the digits, and the last one for no digit. The network has
    positions · (n_classes + 1) outputs, position by position. Targets are (N, positions), 0 … n_classes; labels of
    shape (N,) are sequences of one digit.

    Figures: `sequence_error`, the share of sequences with an error at any position; `digit_error`, of the positions
    that have a digit or are given one, the share that are wrong, averaged over sequences.

    Args:
        label_smoothing: share of the target's weight that is spread over all outputs of a position, 0 to below 1.
        n_classes: of the dataset, without "no digit"; the program supplies it.

    Raises:
        InputError: when `label_smoothing` is out of its range.

    Example:
        >>> import stnkit
        >>> sequence = stnkit.build("objective", "sequence", n_classes=10)
        >>> sequence.n_outputs(stnkit.build("dataset", "sequences", digits=[1, 3]))
        33

    Source: Jaderberg et al. 2015, section 4.2; Goodfellow et al., Multi-digit number recognition from street view
        imagery using deep convolutional neural networks, ICLR 2014.
    """

    figures: Mapping[str, Figure] = {"sequence_error": Figure("%"), "digit_error": Figure("%")}

    def __init__(self, label_smoothing: float = 0.0, n_classes: int = 0) -> None:
        super().__init__()
        if not 0 <= label_smoothing < 1:
            raise InputError(f"label_smoothing: expected a number from 0 to below 1, got {label_smoothing}")
        self.label_smoothing = label_smoothing
        self.n_classes = n_classes

    def n_outputs(self, dataset: stnkit.Dataset) -> int:
        """Positions · (n_classes + 1).

        Args:
            dataset: of the run.

        Raises:
            InputError: when its targets are no sequences.
        """
        shape, name = dataset.target_shape, type(dataset).__name__
        if shape is None or len(shape) > 1:
            raise InputError(
                f"objective=sequence: expected a dataset with targets of shape (N, positions) or (N,), "
                f"got {name} with target_shape {shape}"
            )
        if dataset.n_classes < 1:
            raise InputError(
                f"objective=sequence: expected a dataset with at least one class, got {name} with "
                f"n_classes {dataset.n_classes}"
            )
        return (shape[0] if shape else 1) * (dataset.n_classes + 1)

    def prepare(self, setting: Setting) -> None:
        self.n_outputs(setting.dataset)

    def check_targets(self, targets: Shaped[Tensor, "N *target"]) -> None:
        inexact = targets.is_floating_point() or targets.is_complex() or targets.dtype == torch.bool
        if inexact or targets.ndim > 2:
            raise InputError(
                f"objective=sequence: expected targets that are whole numbers of shape (N, positions), "
                f"got {targets.dtype} of shape {tuple(targets.shape)}"
            )
        low, high = int(targets.min()), int(targets.max())
        if low < 0 or high > self.n_classes:
            raise InputError(
                f"objective=sequence: expected targets from 0 to {self.n_classes}, which is no digit, "
                f"got {low} to {high}"
            )

    def losses(self, batch: Batch) -> Mapping[str, Float[Tensor, ""]]:
        logits, targets = _by_position(batch)
        loss = F.cross_entropy(
            stnkit.coordinates.widened(logits).flatten(0, 1), targets.flatten(), label_smoothing=self.label_smoothing
        )
        return {"loss": targets.shape[1] * loss}

    def measure(self, batch: Batch) -> Mapping[str, Shaped[Tensor, "B"]]:
        logits, targets = _by_position(batch)
        given, none = logits.argmax(dim=-1), logits.shape[-1] - 1
        wrong = given != targets
        counted = ((given != none) | (targets != none)).sum(dim=1)
        return {
            "sequence_error": 100.0 * wrong.any(dim=1),
            # Wrong positions are counted ones. A sequence of no digit, read as such, has none.
            "digit_error": 100.0 * wrong.sum(dim=1) / counted.clamp(min=1),
        }


def _by_position(batch: Batch) -> tuple[Float[Tensor, "B positions outputs"], Int64[Tensor, "B positions"]]:
    """The logits and the targets of each position."""
    targets = batch.targets.long().reshape(len(batch.targets), -1)
    return batch.output.reshape(*targets.shape, -1), targets


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("sequence", Sequence)
