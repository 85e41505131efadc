"""Augmentation: training images are warped by random maps of their own, which the transformer need not undo."""

from collections.abc import Mapping, Sequence
from typing import Any

from jaxtyping import Float
from torch import Tensor

from stnkit.distortions import Distortion, WarpDistortion
from stnkit.errors import InputError, StnkitError
from stnkit.experiments.data.distorted import distorted_images
from stnkit.experiments.data.seeds import generator
from stnkit.families.onward import onward
from stnkit.plugin_system import build, name_and_options


class Augmentation:
    """original∘A∘D, with A drawn anew for every training image, and D the map of its distortion.

    Where the distortion is a warp, the two maps are joined, and the original is read once; otherwise the distortion
    gets originals that are warped.

    Args:
        warp: draws A, on images of the dataset's size.
    """

    def __init__(self, warp: WarpDistortion) -> None:
        self.warp = warp

    def distorted(
        self,
        distortion: Distortion,
        images: Float[Tensor, "B C *in_size"],
        theta: Float[Tensor, "B P"],
        seed: int,
        place: tuple[int, int] | None = None,
    ) -> Float[Tensor, "B C *out_size"]:
        """The distorted images, augmented.

        Args:
            distortion: of the run.
            images: the originals, with values in [0, 1].
            theta: of the distortion, one row for each image.
            seed: of the batch.
            place: of the images in the whole batch: the number of those in front of them, and of all. A is drawn for
                all, so that several processes draw what one does.
        """
        first, n = (0, len(images)) if place is None else place
        own = self.warp.sample(n, generator(seed, "augmentation"))[first : first + len(images)].to(images.device)
        draws = generator(seed, device=images.device)
        if not isinstance(distortion, WarpDistortion):
            return distorted_images(distortion, self.warp.apply(images, own, draws), theta, draws)
        grid = distortion.family.grid(theta, distortion.out_size)
        points = onward(self.warp.family, own, grid.reshape(len(images), -1, grid.shape[-1]))
        distorted: Tensor = distortion.sampler(images, points.view_as(grid))
        return distorted


def build_augmentation(option: Any, image_shape: Sequence[int]) -> Augmentation | None:
    """The augmentation of the option `training.augmentation`; None for null.

    Args:
        option: a distortion, its name or a mapping with `name` and options.
        image_shape: (C, *size) of the dataset's images.

    Raises:
        InputError: when it is no distortion that warps every image by one map and keeps its size.
    """
    if option is None:
        return None
    if not isinstance(option, str | Mapping):
        raise InputError(f"training.augmentation: expected a name, a mapping or null, got {option!r}")
    try:
        warp = build("distortion", option, image_shape=tuple(image_shape))
    except StnkitError as error:
        raise InputError(f"training.augmentation: {error}") from error
    size = tuple(image_shape[1:])
    if not isinstance(warp, WarpDistortion) or warp.out_size != size:
        name, _ = name_and_options("distortion", option)
        raise InputError(
            f"training.augmentation: expected a distortion that warps images and keeps their size, such as elastic, "
            f"got {name}"
        )
    return Augmentation(warp)
