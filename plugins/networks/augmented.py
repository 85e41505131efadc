"""A network that sees training images through small random maps."""

from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

import stnkit

# Pixels in an image whose smaller side has 28: so far the control points of the default distortion move.
_STD = 1.0


class Augmented(stnkit.Network):
    """inner(distortion(image)) in training, inner(image) otherwise: augmentation behind the transformer.

    Every training image is warped once more on its way into the network, by a map that is drawn anew each time. The
    transformer sees the image as it is, so that augmentation does not blur the pose that it finds, and its gradient
    passes through the random map. It helps where a network learns the training images by heart, since a good
    transformer shows it the same straightened digits in every epoch (docs/recipe.md).

    Args:
        in_shape: (C, *size) of the images; the program supplies it.
        n_classes: number of classes; the program supplies it.
        inner: the network, a name or a mapping `{name: ..., option: ...}`.
        distortion: that of the training images, likewise; it keeps their size. By default `elastic` with scales from
            0.9 to 1.1, and control points that move by N(0, 1 pixel) where the smaller side has 28, and in proportion.

    Raises:
        InputError: when the inner network or the distortion cannot be built, the network hands its image on, or the
            distortion changes the size of images or expects pairs.

    Example:
        >>> import torch, stnkit
        >>> network = stnkit.build("network", "augmented", in_shape=(1, 28, 28), n_classes=10, inner="paper_fcn")
        >>> images = torch.rand(2, 1, 28, 28)
        >>> bool((network.train()(images) == network(images)).all())
        False
        >>> bool((network.eval()(images) == network.inner(images)).all())
        True
    """

    def __init__(
        self,
        in_shape: tuple[int, ...],
        n_classes: int,
        inner: str | dict[str, Any] = "compact_cnn",
        distortion: str | dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.inner: stnkit.Network = stnkit.build("network", inner, in_shape=in_shape, n_classes=n_classes)
        if self.inner.gives_image:
            raise stnkit.errors.InputError(f"inner: expected a network with outputs of its own, got {_name(inner)}")
        if distortion is None:
            distortion = {"name": "elastic", "scale": [0.9, 1.1], "std": _STD * min(in_shape[1:]) / 28}
        self.distortion: stnkit.Distortion = stnkit.build("distortion", distortion, image_shape=in_shape)
        if self.distortion.out_size != tuple(in_shape[1:]) or self.distortion.between_pair:
            raise stnkit.errors.InputError(
                f"distortion: expected one of single images that keeps their size of {list(in_shape[1:])}, such as "
                f"elastic, got {_name(distortion)}"
            )

    def forward(self, image: Float[Tensor, "B C *size"]) -> Float[Tensor, "B *outputs"]:
        if self.training:
            # From torch's own generator, which the program seeds for every step, as dropout draws.
            drawn = torch.Generator().manual_seed(int(torch.randint(2**62, ())))
            theta = self.distortion.sample(len(image), drawn).to(image.device)
            noise = torch.Generator(image.device).manual_seed(int(torch.randint(2**62, (), generator=drawn)))
            image = self.distortion.apply(image, theta, noise)
        output: Tensor = self.inner(image)
        return output


def _name(component: str | dict[str, Any]) -> Any:
    return component if isinstance(component, str) else component.get("name")


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("augmented", Augmented)
