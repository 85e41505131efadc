"""SpatialTransformer = localizer ∘ family ∘ sampler."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from stnkit import coordinates
from stnkit.errors import InputError
from stnkit.families.family import TransformFamily
from stnkit.localizers import Localizer, RegressionHead
from stnkit.samplers.sampler import Sampler


class SpatialTransformer(nn.Module):
    """image ↦ sampler(image, family.grid(θ)) with θ = head(localizer(image)): the identity at construction.

    Args:
        localizer: looks at the image.
        family: turns θ into a sampling grid.
        sampler: reads the image at the grid.
        out_size: size of the output, (H, W) or (D, H, W); by default that of each image.

    Raises:
        InputError: when `out_size` is not as many positive whole numbers as the family has dimensions.

    Source: Jaderberg et al., Spatial Transformer Networks, NeurIPS 2015, section 3.
    """

    def __init__(
        self,
        localizer: Localizer,
        family: TransformFamily,
        sampler: Sampler,
        out_size: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.localizer = localizer
        self.head = RegressionHead(localizer.n_features, family)
        self.family = family
        self.sampler = sampler
        try:
            self.out_size = None if out_size is None else coordinates.check_size(out_size, family.ndim)
        except InputError as error:
            raise InputError(f"out_size: {error}") from None

    def localize(self, image: Float[Tensor, "B C *in_size"]) -> Float[Tensor, "B P"]:
        """θ for each image, in float32 or wider."""
        return self.head(self.localizer(image))

    def warp(self, image: Float[Tensor, "B C *in_size"], theta: Float[Tensor, "B P"]) -> Float[Tensor, "B C *out_size"]:
        """The image read through T_θ, at `out_size` or its own size."""
        return self.sampler(image, self.family.grid(theta, self.out_size or image.shape[2:]))

    def forward(self, image: Float[Tensor, "B C *in_size"]) -> Float[Tensor, "B C *out_size"]:
        """The image as the transformer straightens it.

        Raises:
            InputError: when the image does not have the family's dimensions.
        """
        if image.ndim != self.family.ndim + 2:
            raise InputError(
                f"{type(self.family).__name__} warps images of {self.family.ndim + 2} axes, (B, C, *size), "
                f"but one of shape {tuple(image.shape)} was given"
            )
        return self.warp(image, self.localize(image))
