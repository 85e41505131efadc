"""The tutorial's network as parts of stnkit: `network=tutorial localizer=tutorial distortion=normalized`."""

from collections.abc import Iterable
from importlib.metadata import EntryPoint

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

import stnkit
from peers.tutorial import MEAN, STD, Localized
from stnkit.plugin_system.discovery import GROUP, Installed, Source
from stnkit.plugin_system.registry import plugin_registry

# The tutorial's training: its optimizer, and one learning rate for all.
OVERRIDES = [
    "network=tutorial",
    "localizer=tutorial",
    "transform=affine",
    "sampler=bilinear",
    "placement=input",
    "distortion=normalized",
    "training=paper",
    "training.schedule=constant",
]


class TutorialLocalizer(stnkit.Localizer):
    """The tutorial's localization network up to the last layer, which is stnkit's head.

    Args:
        in_shape: (1, 28, 28); the program supplies it.
    """

    def __init__(self, in_shape: tuple[int, ...]) -> None:
        super().__init__()
        if tuple(in_shape) != (1, 28, 28):
            raise stnkit.errors.InputError(f"it looks at images of shape [1, 28, 28], but in_shape is {list(in_shape)}")
        self.layers = nn.Sequential(
            nn.Conv2d(1, 8, 7),
            nn.MaxPool2d(2),
            nn.ReLU(True),
            nn.Conv2d(8, 10, 5),
            nn.MaxPool2d(2),
            nn.ReLU(True),
            nn.Flatten(),
            nn.Linear(90, 32),
            nn.ReLU(True),
        )
        self.n_features = 32
        self.in_shape = in_shape

    def features(self, image: Float[Tensor, "B C H W"]) -> Float[Tensor, "B n_features"]:
        return self.layers(image)


class TutorialNetwork(stnkit.Network):
    """The tutorial's network behind its transformer.

    Args:
        in_shape: (1, 28, 28); the program supplies it.
        n_classes: number of classes; the program supplies it.
    """

    def __init__(self, in_shape: tuple[int, ...], n_classes: int) -> None:
        super().__init__()
        if tuple(in_shape) != (1, 28, 28):
            raise stnkit.errors.InputError(f"it takes images of shape [1, 28, 28], but in_shape is {list(in_shape)}")
        self.conv1 = nn.Conv2d(1, 10, 5)
        self.conv2 = nn.Conv2d(10, 20, 5)
        self.conv2_drop = nn.Dropout2d()
        self.fc1 = nn.Linear(320, 50)
        self.fc2 = nn.Linear(50, n_classes)

    def forward(self, image: Float[Tensor, "B C H W"]) -> Float[Tensor, "B n_classes"]:
        x = F.relu(F.max_pool2d(self.conv1(image), 2))
        x = F.relu(F.max_pool2d(self.conv2_drop(self.conv2(x)), 2))
        x = F.relu(self.fc1(x.flatten(start_dim=1)))
        return self.fc2(F.dropout(x, training=self.training))


class Normalized(stnkit.Distortion):
    """No distortion, but the tutorial's normalization of the values; θ is the affine identity.

    Args:
        image_shape: (C, H, W) of the images; the program supplies it.
    """

    def __init__(self, image_shape: tuple[int, ...]) -> None:
        self.family = stnkit.build("transform", "affine")
        self.out_size = tuple(image_shape[1:])

    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, "n P"]:
        return self.family.identity().float().repeat(n, 1)

    def apply(
        self, images: Float[Tensor, "B C H W"], theta: Float[Tensor, "B P"], generator: torch.Generator
    ) -> Float[Tensor, "B C H W"]:
        return (images - MEAN) / STD


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The components of this file."""
    yield stnkit.Component("tutorial", TutorialLocalizer)
    yield stnkit.Component("tutorial", TutorialNetwork)
    yield stnkit.Component("normalized", Normalized)


def register() -> None:
    """Make this file a plugin of this process, as if a distribution had announced it by entry points."""
    if not plugin_registry().providers("network", "tutorial"):
        keys = ("localizer.tutorial", "network.tutorial", "distortion.normalized")
        sources = tuple(Source(key, __name__, "stnkit-benchmarks", "0") for key in keys)
        plugin_registry().add(Installed(EntryPoint(keys[0], __name__, GROUP), sources))


def copy_weights(theirs: Localized, ours: nn.Module) -> None:
    """Give what `stnkit train` trains the weights of the same layers in the tutorial's words.

    Args:
        theirs: localization and its last layers first, then the network.
        ours: the transformer and what it wraps.
    """
    names = sorted(ours.state_dict(), key=lambda name: not name.startswith("transformer."))
    weights = dict(zip(names, theirs.state_dict().values(), strict=True))
    # Ours is added to the identity, theirs includes it.
    offset = weights["transformer.head.offset"]
    weights["transformer.head.offset"] = offset - stnkit.build("transform", "affine").identity().to(offset)
    ours.load_state_dict(weights)
