"""Sampler: reads an image at the points of a grid."""

import abc
from typing import Any, ClassVar, final

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from stnkit.contract import Contract
from stnkit.native.interpolation import Interpolation
from stnkit.samplers.arguments import check_image_and_grid
from stnkit.samplers.results import check_sampled

# A sampler that overrides one of these below the class that says what it computes may compute something else.
_COMPUTING = ("forward", "sample", "grid_sample", "_sampled", "_share_outside", "_fill", "__call__", "_call_impl")


class Sampler(nn.Module, Contract):
    """V(p) = Σ U_i · k(p − i): the image read at the grid, differentiably in both.

    A subclass implements `forward`, which gets an image and a grid that were checked.

    Attributes:
        exact_gradient: True if the gradient to the grid is the derivative of V; False if there is none, or another
            one on purpose.

    Example:
        >>> import torch, stnkit
        >>> import torch.nn.functional as F
        >>> class Linear(stnkit.Sampler):
        ...     def forward(self, image, grid):
        ...         return F.grid_sample(image.to(grid.dtype), grid, align_corners=False).to(image.dtype)
        >>> Linear()(torch.ones(1, 1, 4, 4), torch.zeros(1, 1, 1, 2))
        tensor([[[[1.]]]])
    """

    exact_gradient: ClassVar[bool] = True

    # True if `interpolation` is that of a class below which nothing is overridden that computes.
    _interpolates: ClassVar[bool] = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        nearest = next(base for base in cls.__mro__ if {"interpolation", *_COMPUTING} & vars(base).keys())
        cls._interpolates = "interpolation" in vars(nearest) and nearest is not Sampler

    @abc.abstractmethod
    def forward(
        self, image: Float[Tensor, "B C *in_size"], grid: Float[Tensor, "B *out_size ndim"]
    ) -> Float[Tensor, "B C *out_size"]:
        """The image at the grid, in the image's dtype.

        Args:
            image: a batch of images or feature maps.
            grid: normalized source points, x first, in float32 or wider.
        """

    @final  # type: ignore[misc]  # torch declares it an attribute
    def __call__(self, image: Tensor, grid: Tensor) -> Tensor:
        """The image at the grid, by the author's `forward`.

        Raises:
            InputError: when dimensions differ, the image has no pixel, the grid is not real or narrower than
                float32, or the author's `forward` gives no such image.
        """
        if isinstance(image, torch.fx.Proxy):  # a tracer with samplers as leaves: nothing to check yet
            return super().__call__(image, grid)
        check_image_and_grid(image, grid)
        sampled: Tensor = super().__call__(image, grid)
        check_sampled(self, "forward", sampled, image, grid)
        return sampled

    def interpolation(self) -> Interpolation | None:
        """Optional hook: what `forward` computes, if it is a common interpolation; by default None.

        Images of two dimensions are then read by the native warp, which computes the same in one pass. A subclass
        that overrides what computes is not taken for what it derives from.
        """
        return None

    def valid(self, grid: Float[Tensor, "B *out_size ndim"]) -> Bool[Tensor, "B *out_size"]:
        """Optional hook: the mask of grid points on the image, edges included; padding is read at the others.

        Args:
            grid: normalized source points, x first.
        """
        return (grid.abs() <= 1).all(dim=-1)


def interpolation_of(sampler: nn.Module) -> Interpolation | None:
    """The interpolation that a sampler computes, or None for one that computes something else or does not say.

    Args:
        sampler: any module that is called as a Sampler is.
    """
    # Not `isinstance`, which asks Python code of abstract classes.
    if not getattr(type(sampler), "_interpolates", False) or _is_changed(vars(sampler)):
        return None
    known: Sampler = sampler  # type: ignore[assignment]
    return known.interpolation()


def _is_changed(own: dict[str, Any]) -> bool:
    """True if an object has methods of its own in place of its class's."""
    # Neither a loop nor a set: the one is slow, the other cannot be traced.
    return (
        "forward" in own
        or "sample" in own
        or "interpolation" in own
        or "grid_sample" in own
        or "_sampled" in own
        or "_share_outside" in own
        or "_fill" in own
        or "_call_impl" in own
    )
