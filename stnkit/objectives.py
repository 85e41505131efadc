"""Objective: what a run minimizes, and the figures by which it is judged."""

import abc
import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from stnkit.contract import TRUTH, Contract, Requirement
from stnkit.datasets import Dataset
from stnkit.distortions import Distortion
from stnkit.transformer import SpatialTransformer

# What an objective may need, and the words for it.
NEEDS = {
    "labels": "labels, one for each image",
    "pair": "pairs of images, moving and fixed",
    "transformer": "one spatial transformer at the input",
    "true_theta": "a distortion whose theta describes it",
}


@dataclasses.dataclass(frozen=True)
class Figure:
    """A figure of an objective: a number for each image, of which a run reports the mean.

    Args:
        unit: such as "%" or "px"; empty for none.
        higher_is_better: True if a higher figure is a better one.

    Example:
        >>> from stnkit.objectives import Figure
        >>> Figure("%"), Figure(higher_is_better=True).unit
        (Figure(unit='%', higher_is_better=False), '')
    """

    unit: str = ""
    higher_is_better: bool = False


@dataclasses.dataclass(frozen=True)
class Setting:
    """The surroundings of an objective in a run, before any data is loaded.

    Args:
        dataset: of the run.
        distortion: of its images.
        in_shape: (C, *size) of the distorted images; those of a pair are one after the other on the channels.
        transformer: the one at the input; None if there is none, or several in parallel.

    Example:
        >>> import stnkit
        >>> dataset = stnkit.build("dataset", "digits")
        >>> distortion = stnkit.build("distortion", "rotation", image_shape=dataset.image_shape)
        >>> setting = stnkit.objectives.Setting(dataset, distortion, dataset.image_shape, transformer=None)
        >>> setting.in_shape
        (1, 28, 28)
    """

    dataset: Dataset
    distortion: Distortion
    in_shape: tuple[int, ...]
    transformer: SpatialTransformer | None


@dataclasses.dataclass(frozen=True)
class Batch:
    """A batch as an objective sees it, behind the forward pass.

    With `training.equivariance`, the images of the data are followed by the same images warped once more.

    Args:
        images: the distorted images; those of a pair are one after the other on the channels, first the moving one.
        targets: of the images, as the dataset has them.
        true_theta: of the distortion, for the images of the data; None where θ does not describe the distortion.
        theta: of the transformer at the input; None if there is none, or several in parallel.
        straightened: the output of the transformers at the input; the images themselves if there are none.
        output: of the network.
        network: the network behind the transformer, for objectives that apply it to further images.
        draws: a generator of the CPU, the only source of randomness.

    Example:
        >>> import torch, stnkit
        >>> images, targets = torch.rand(3, 2, 8, 8), torch.zeros(3)
        >>> batch = stnkit.objectives.Batch(
        ...     images=images, targets=targets, true_theta=torch.zeros(2, 1), theta=None, straightened=images,
        ...     output=torch.zeros(3, 10), network=torch.nn.Identity(), draws=torch.Generator(),
        ... )
        >>> batch.moving.shape, len(batch.of_data().images)
        (torch.Size([3, 1, 8, 8]), 2)
    """

    images: Float[Tensor, "B C *size"]
    targets: Shaped[Tensor, "B *target"]
    true_theta: Float[Tensor, "N Q"] | None
    theta: Float[Tensor, "B P"] | None
    straightened: Float[Tensor, "B K *out_size"]
    output: Float[Tensor, "B *output"]
    network: nn.Module
    draws: torch.Generator

    @property
    def moving(self) -> Float[Tensor, "B C *size"]:
        """The first image of each pair, which the transformer warps."""
        return self.images[:, : self.images.shape[1] // 2]

    @property
    def fixed(self) -> Float[Tensor, "B C *size"]:
        """The second image of each pair."""
        return self.images[:, self.images.shape[1] // 2 :]

    def of_data(self) -> "Batch":
        """The rows of the images of the data, whose true θ is known: without those that equivariance adds."""
        if self.true_theta is None or len(self.true_theta) == len(self.images):
            return self
        n = len(self.true_theta)
        return dataclasses.replace(
            self,
            images=self.images[:n],
            targets=self.targets[:n],
            theta=None if self.theta is None else self.theta[:n],
            straightened=self.straightened[:n],
            output=self.output[:n],
        )


# Names that a run logs beside the figures.
RESERVED = (
    *("loss", "outside", "theta_distance", "equivariance", "common_pose", "supervision", "images"),
    *("rotation_residual", "corner_error_per_class"),
)


def _are_figures(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and len(value) > 0
        and all(isinstance(name, str) and name.isidentifier() and name not in RESERVED for name in value)
        and all(isinstance(figure, Figure) for figure in value.values())
    )


class Objective(nn.Module, Contract):
    """Named losses of a batch, which a run minimizes, and figures of each of its images, by which it is judged.

    A subclass may take `n_classes` and `in_shape` (C, *size) in its constructor, which the program supplies.

    Attributes:
        figures: by name, the figures that `measure` returns; the first one is the primary figure, which decides about
            the best epoch and stands in the report.
        terms: names of the losses that `losses` returns.
        measured_in_training: False where `measure` takes a good part of a training step: the figures are then those of
            validation and test alone.
        needs: what it needs of the data and the network, of "labels", "pair", "transformer", "true_theta".
        default_network: name of the network that a run has where nobody chooses one; None for that of the program.
        default_placement: the same for the placement.

    Example:
        >>> import torch, stnkit
        >>> class Brightest(stnkit.Objective):
        ...     '''The mean of the straightened image, as large as possible.'''
        ...     figures = {"brightness": stnkit.objectives.Figure(higher_is_better=True)}
        ...     needs, default_network = ("transformer",), "none"
        ...     def losses(self, batch):
        ...         return {"loss": -batch.straightened.mean()}
        ...     def measure(self, batch):
        ...         return {"brightness": batch.straightened.flatten(1).mean(dim=1)}
        >>> Brightest().primary
        'brightness'
    """

    abstract_attributes: ClassVar[dict[str, Requirement]] = {
        "figures": Requirement("a mapping of names to Figure, at least one", _are_figures),
        "terms": Requirement(
            "names of losses, at least one",
            lambda value: isinstance(value, tuple | list) and len(value) > 0 and all(isinstance(n, str) for n in value),
        ),
        "measured_in_training": TRUTH,
        "needs": Requirement(
            f"a tuple of {', '.join(NEEDS)}",
            lambda value: isinstance(value, tuple | list) and all(name in NEEDS for name in value),
        ),
    }

    figures: Mapping[str, Figure]
    terms: tuple[str, ...] = ("loss",)
    measured_in_training: bool = True
    needs: tuple[str, ...] = ()
    default_network: ClassVar[str | None] = None
    default_placement: ClassVar[str | None] = None

    @property
    def primary(self) -> str:
        """Name of the primary figure, the first one."""
        return next(iter(self.figures))

    def n_outputs(self, dataset: Dataset) -> int | None:
        """Optional hook: the number of outputs of the network for each image.

        By default None: the straightened image is all that is used, and the network is `none`.

        Args:
            dataset: of the run; no split of it is loaded. It may have targets that the objective does not take, since
                this is asked before `prepare` and `check_targets`.

        Raises:
            InputError: when no number follows from such targets.
        """
        return None

    def prepare(self, setting: Setting) -> None:
        """Optional hook: check what `needs` does not say, and remember what the losses use, before data is loaded.

        Args:
            setting: of the run.

        Raises:
            InputError: when the objective does not fit.
        """

    def check_targets(self, targets: Shaped[Tensor, "N *target"]) -> None:
        """Optional hook: check the targets of a split when it is loaded; labels are checked by the program.

        Args:
            targets: of the split.

        Raises:
            InputError: when they are not those that the objective needs.
        """

    @abc.abstractmethod
    def losses(self, batch: Batch) -> Mapping[str, Float[Tensor, ""]]:
        """The losses by the names in `terms`, each a mean over the batch; a run minimizes their sum.

        Args:
            batch: of training, or of an evaluation without gradients; `self.training` tells.
        """

    def total_weight(self, batch: Batch) -> Float[Tensor, ""] | None:
        """Optional hook: Σ w over the images of a batch, where the losses are weighted means, Σ w · loss / Σ w.

        By it the program takes the mean of the losses over batches and over processes. It is finite and at least 0, on
        any device. By default None: all images have the same weight.

        Args:
            batch: as `losses` gets it; without gradients.
        """
        return None

    @abc.abstractmethod
    def measure(self, batch: Batch) -> Mapping[str, Shaped[Tensor, "B"]]:
        """The figures by the names in `figures`, one number for each image, or for each of `batch.of_data()`.

        The program takes the mean over all images, of several processes too.

        Args:
            batch: of evaluation, and of training unless `measured_in_training` is False; without gradients.
        """

    def pictures(self, batch: Batch) -> Mapping[str, Float[Tensor, "B K *size"]]:
        """Optional hook: further images to show below those before and after the transformer; by default none.

        They stand in the report and in the picture of a run, where images have two dimensions. Pairs have the moving,
        the fixed and the warped image and their difference already.

        Args:
            batch: a few images of the test; without gradients.

        Returns:
            By a caption of a word or two, an image for each of the batch, from 0 (black) to 1 (white).
        """
        return {}

    def outlines(self, batch: Batch) -> Mapping[str, Float[Tensor, "B points 2"]]:
        """Optional hook: lines to draw on the images before the transformer, the moving ones of pairs; by default none.

        Args:
            batch: as `pictures` gets it.

        Returns:
            By a caption of a word or two, such as "window" or "true place", the points of a line on each image in its
            normalized coordinates. A closed line ends where it begins, as T_θ of `stnkit.coordinates.border()` does.
            An image with a point that is not finite has no such line.
        """
        return {}
