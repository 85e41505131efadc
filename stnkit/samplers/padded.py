"""PaddedSampler: a sampler with the common choice of what lies outside the image."""

import abc
import enum

import torch
from jaxtyping import Float
from torch import Tensor

from stnkit import coordinates
from stnkit.errors import InputError
from stnkit.samplers.sampler import Sampler, check_image_and_grid


class Padding(enum.StrEnum):
    """What a sampler reads outside of the image: `0 0 | a b c` and so on."""

    zeros = "zeros"  # 0 0 0 | a b c | 0 0 0
    border = "border"  # a a a | a b c | c c c
    reflection = "reflection"  # c b a | a b c | c b a

    @classmethod
    def parse(cls, padding: "Padding | str") -> "Padding":
        """The padding of that name.

        Raises:
            InputError: when there is none.
        """
        try:
            return cls(padding)
        except ValueError:
            names = ", ".join(cls)
            raise InputError(f"padding must be one of {names}, but {padding!r} was given") from None


class PaddedSampler(Sampler):
    """A sampler that knows `padding`. A subclass implements `sample` and nothing else.

    Args:
        padding: what is read outside of the image: zeros, border or reflection about the image's edge.

    Raises:
        InputError: for an unknown padding.
    """

    def __init__(self, padding: Padding | str = Padding.zeros) -> None:
        super().__init__()
        self.padding = Padding.parse(padding)

    @abc.abstractmethod
    def sample(
        self, image: Float[Tensor, "B C *in_size"], grid: Float[Tensor, "B *out_size ndim"]
    ) -> Float[Tensor, "B C *out_size"]:
        """The image at the grid; both have the same dtype, float32 or wider."""

    def forward(
        self, image: Float[Tensor, "B C *in_size"], grid: Float[Tensor, "B *out_size ndim"]
    ) -> Float[Tensor, "B C *out_size"]:
        """The image at the grid, computed in the wider of their dtypes, returned in the image's.

        Raises:
            InputError: when batch sizes or dimensions differ, or the grid is narrower than float32.
        """
        check_image_and_grid(image, grid)
        dtype = torch.promote_types(image.dtype, grid.dtype)
        with coordinates.full_precision(image):
            return self.sample(image.to(dtype), grid.to(dtype)).to(image.dtype)

    def extra_repr(self) -> str:
        return f"padding={self.padding.value!r}"
