"""SyntheticRun: the surroundings of an objective, with a dataset, a distortion, a transformer and a network of the kit.

They are drawn from seeds and need no files. An objective is given what it needs; of what it does not name it is offered
several forms, and the kit takes those that it does not refuse.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from stnkit import coordinates
from stnkit.datasets import Dataset, Split
from stnkit.distortions import Distortion, WarpDistortion
from stnkit.localizers import Localizer
from stnkit.objective_outputs import outputs_of
from stnkit.objectives import Batch, Objective, Setting
from stnkit.testing.component_under_test import N_CLASSES
from stnkit.testing.inputs import seed_generators, theta_of, uniform
from stnkit.testing.references import Affine, Linear, blobs
from stnkit.transformer import SpatialTransformer

# Every class has several.
N_IMAGES = 16
# Of a batch.
TENSORS = ("images", "targets", "true_theta", "theta", "straightened", "output")
# Of the true θ: maps that fold nothing and keep the spots inside.
SPREAD = 0.1


class Affinely(WarpDistortion):
    """A random affine map, described by its θ.

    Args:
        image_shape: (C, *size) of the images.
    """

    def __init__(self, image_shape: tuple[int, ...]) -> None:
        super().__init__(Affine(len(image_shape) - 1), Linear(), image_shape[1:])

    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, "n P"]:
        return 2 * SPREAD * torch.rand(n, self.family.n_params, generator=generator) - SPREAD


class OneChannelOnly(Distortion):
    """A random affine map of the first channel alone, so that its θ does not describe the image.

    Args:
        image_shape: (C, *size) of the images.
    """

    channels_move_together = False

    def __init__(self, image_shape: tuple[int, ...]) -> None:
        self.warp = Affinely(image_shape)
        self.family, self.out_size = self.warp.family, self.warp.out_size

    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, "n P"]:
        return self.warp.sample(n, generator)

    def apply(
        self, images: Float[Tensor, "B C *in_size"], theta: Float[Tensor, "B P"], generator: torch.Generator
    ) -> Float[Tensor, "B C *out_size"]:
        first = self.warp.apply(images[:, :1], theta, generator)
        return torch.cat([first, images[:, 1:]], dim=1)


class FixedAffinely(OneChannelOnly):
    """Pairs: the fixed image is the moving one, distorted by a random affine map."""

    between_pair = True

    def apply(
        self, images: Float[Tensor, "B C *in_size"], theta: Float[Tensor, "B P"], generator: torch.Generator
    ) -> Float[Tensor, "B C *out_size"]:
        moving, fixed = images.chunk(2, dim=1)
        return torch.cat([moving, self.warp.apply(fixed, theta, generator)], dim=1)


@dataclass(frozen=True)
class Surroundings:
    """The form of the images and targets of a synthetic run.

    Args:
        shape: (C, *size) of an image; of a pair, that of each half.
        pair: True for pairs.
        targets: "labels", "sequences" of labels, "corners" in pixels, "theta" of the distortion or random "numbers".
        n_classes: number of classes; targets that are no labels have none, and sequences have them.
        transformer: False for a network without one.
        described: False for a distortion that its θ does not describe.
    """

    shape: tuple[int, ...]
    pair: bool = False
    targets: str = "labels"
    n_classes: int = N_CLASSES
    transformer: bool = True
    described: bool = True

    @property
    def in_shape(self) -> tuple[int, ...]:
        """(C, *size) of the images as the network reads them."""
        return (self.shape[0] * (1 + self.pair), *self.shape[1:])

    @property
    def n_labels(self) -> int:
        """`n_classes` of the dataset."""
        return self.n_classes if self.targets in ("labels", "sequences") else 0


class Drawn(Dataset):
    """Smooth spots with targets of one of several forms.

    Args:
        given: the form.
    """

    def __init__(self, given: Surroundings) -> None:
        self.given = given
        self.n_classes, self.image_shape, self.pair = given.n_labels, given.in_shape, given.pair
        self.target_shape = tuple(self.split("train")[1].shape[1:])

    def split(self, name: Split) -> tuple[Tensor, Tensor]:
        images = blobs(self.given.shape, N_IMAGES)
        return torch.cat([images] * (1 + self.given.pair), dim=1), _targets(self.given)


class LinearLocalizer(Localizer):
    """tanh(W x) of the flattened image.

    Args:
        in_shape: (C, *size) of the images.
    """

    n_features = 4

    def __init__(self, in_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(in_shape), self.n_features), nn.Tanh())

    def features(self, image: Float[Tensor, "B C *size"]) -> Float[Tensor, "B n_features"]:
        features: Tensor = self.layers(image)
        return features


class SyntheticRun:
    """An objective, prepared for its surroundings as the program does it, and batches behind a forward pass.

    Args:
        make: gives the objective, with these arguments of the program.
        given: the surroundings.
        dtype: of images, transformer and network.
        device: likewise.

    Raises:
        InputError: when the objective refuses the surroundings.
    """

    def __init__(
        self,
        make: Callable[..., Objective],
        given: Surroundings,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        seed_generators(0)
        self.given, self.dtype, self.device = given, dtype, device
        self.dataset = Drawn(given)
        kinds = {(True, True): FixedAffinely, (False, True): Affinely}
        self.distortion: Distortion = kinds.get((given.pair, given.described), OneChannelOnly)(given.in_shape)
        self.transformer = _transformer(given).to(device, dtype) if given.transformer else None
        self.objective = make(in_shape=given.in_shape, n_classes=given.n_labels)
        # In the order of the program.
        self.n_outputs = outputs_of(self.objective, self.dataset)
        self.objective.prepare(Setting(self.dataset, self.distortion, given.in_shape, self.transformer))
        self.objective.check_targets(_targets(given))
        self.network: nn.Module = nn.Identity()
        if self.n_outputs is not None:
            channels = given.shape[0] if given.transformer else given.in_shape[0]
            inputs = channels * math.prod(given.shape[1:])
            self.network = nn.Sequential(nn.Flatten(), nn.Linear(inputs, self.n_outputs)).to(device, dtype)
        self.objective.to(device, dtype)

    def batch(self, rows: Sequence[int] | None = None, draws: int = 0, black: bool = False, again: int = 0) -> Batch:
        """The batch behind a forward pass of the transformer and the network.

        Args:
            rows: of the images, by default all.
            draws: seed of the batch's generator.
            black: True for black images.
            again: number of its images that follow the others once more, warped, as with `training.equivariance`.
        """
        rows = list(range(N_IMAGES) if rows is None else rows)
        generator = torch.Generator().manual_seed(5)
        true = self.distortion.sample(N_IMAGES, generator)
        images, _ = self.dataset.split("train")
        images = 0.0 * images if black else self.distortion.apply(images, true, generator)
        images, true = images[rows].to(self.device, self.dtype), true[rows].to(self.device)
        targets = _targets(self.given)[rows].to(self.device)
        if again:
            images = torch.cat([images, 0.9 * images[:again]])
            targets = torch.cat([targets, targets[:again]])
        theta, shown = None, images
        if self.transformer is not None:
            theta = self.transformer.localize(images)
            shown = self.transformer.warp(self.transformer.sampled(images), theta)
        output = self.network(shown)
        known = true if self.given.described else None
        seeded = torch.Generator().manual_seed(draws)
        return Batch(images, targets, known, theta, shown, output, self.network, seeded)

    @property
    def learned(self) -> list[nn.Parameter]:
        """The parameters of the transformer and the network."""
        parts = [part for part in (self.transformer, self.network) if part is not None]
        return [parameter for part in parts for parameter in part.parameters()]


def offered(needs: Sequence[str], shape: Sequence[int], n_classes: int, *, pair: bool) -> list[Surroundings]:
    """The surroundings that have what an objective needs, with one form of targets after the other.

    Args:
        needs: of the objective.
        shape: (C, *size) of the images as the network reads them.
        n_classes: of labels.
        pair: True for pairs, of which there is none for an odd number of channels.
    """
    if pair and shape[0] % 2:
        return []
    each = (shape[0] // (1 + pair), *shape[1:])
    forms = ("labels",) if "labels" in needs else ("labels", "sequences", "corners", "theta", "numbers")
    return [Surroundings(each, pair, targets, n_classes) for targets in forms]


def _transformer(given: Surroundings) -> SpatialTransformer:
    family = Affine(len(given.shape) - 1)
    sampled = given.shape[0] if given.pair else None
    transformer = SpatialTransformer(LinearLocalizer(given.in_shape), family, Linear(), sampled_channels=sampled)
    with torch.no_grad():
        transformer.head.weight.normal_(std=0.05)
    return transformer


def _targets(given: Surroundings) -> Tensor:
    """The targets of the images, the same at every call."""
    ndim, labels = len(given.shape) - 1, torch.arange(N_IMAGES) % given.n_classes
    family = Affine(ndim)
    theta = theta_of(family, N_IMAGES, SPREAD, dtype=torch.float32)
    if given.targets == "labels":
        return labels
    if given.targets == "sequences":
        return torch.stack([labels, labels.flip(0)], dim=1)
    if given.targets == "theta":
        return theta
    if given.targets == "corners":
        corners = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * ndim).flip(-1)[None]
        return coordinates.to_pixels(family(theta, corners), given.shape[1:])
    return uniform(N_IMAGES, 2, seed=9).float()
