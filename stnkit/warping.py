"""The warp: a family joined to a sampler, in one native pass where both allow it."""

import math
from collections.abc import Sequence
from typing import Any, TypeGuard

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from stnkit import coordinates
from stnkit.errors import InputError
from stnkit.families.family import TransformFamily
from stnkit.families.matrix import MatrixFamily
from stnkit.families.thresholds import GRID_CHUNK_BYTES
from stnkit.families.tracing import begin_warp, end_warp, has_hooks, has_tracer, needs_gradient
from stnkit.native.conditions import takes, takes_rows
from stnkit.native.function import warped, warped_in_chunks
from stnkit.samplers.arguments import check_device
from stnkit.samplers.results import check_sampled
from stnkit.samplers.sampler import interpolation_of


def warp(
    family: TransformFamily,
    theta: Float[Tensor, "B P"],
    image: Shaped[Tensor, "B C *in_size"],
    sampler: nn.Module,
    size: Sequence[int] | None = None,
) -> Shaped[Tensor, "B C *out_size"]:
    """sampler(image, family.grid(θ, size)): the image read through T_θ.

    On the CPU, a family of matrices of two dimensions and a sampler that names its interpolation, such as bilinear,
    are joined in one pass that makes no grid. Its results differ from the composite's by rounding; a channels-last
    image stays channels-last.

    Args:
        family: of maps from points of the output to points of the image.
        theta: one row of parameters for each image.
        image: a batch of images or feature maps; of label maps, where the sampler reads them, as nearest does.
        sampler: a Sampler, or a module that is called as one.
        size: of the output, (H, W) or (D, H, W); by default that of the image.

    Raises:
        InputError: as `TransformFamily.grid` and the sampler raise it, for a name in place of a family or a sampler,
            and without a size for an image that does not have the family's dimensions.

    Example:
        >>> import torch, stnkit
        >>> family, sampler = stnkit.build("transform", "affine"), stnkit.build("sampler", "bilinear")
        >>> image = torch.arange(4.0).view(1, 1, 1, 4)
        >>> mirror = torch.tensor([[-1.0, 0, 0, 0, 1, 0]])
        >>> stnkit.warp(family, mirror, image, sampler)
        tensor([[[[3., 2., 1., 0.]]]])
    """
    coordinates.check_is_tensor("image", image)
    if isinstance(theta, Tensor):
        check_device("theta", theta, image)
    # An abstract class of which an object is asked would cost a microsecond.
    if not hasattr(type(family), "grid"):
        _check_family(family)
    if not hasattr(type(sampler), "_interpolates"):
        _check_sampler(sampler)
    if size is None:
        check_dimensions(family, image)
    interpolation = interpolation_of(sampler)
    if (
        interpolation is not None
        and isinstance(theta, Tensor)
        and _makes_grids_of_rows(family)
        and not has_hooks(sampler)
        and takes(image, theta, interpolation)
    ):
        checked = family.check_theta(theta)
        out_size = image.shape[2:] if size is None else coordinates.check_size(size, 2)
        with coordinates.full_precision(checked):
            rows = family._rows(checked)
        if takes_rows(rows, image.shape[0]):
            return warped(sampler, interpolation, image, rows, out_size)
    if interpolation is not None and _makes_grids_in_chunks(family, theta, image) and not has_hooks(sampler):
        checked, shape = family.check_theta(theta), coordinates.check_size(image.shape[2:] if size is None else size, 2)
        bytes_of_one = 8 * math.prod(shape)
        # A tracer would take the number of images for a constant.
        is_large = not has_tracer() and bytes_of_one * len(image) > 2 * GRID_CHUNK_BYTES
        # What the family has learned may need a gradient too; it is asked for large grids only, since it takes time.
        if is_large and takes(image, checked, interpolation) and not needs_gradient(*family.parameters()):
            images = max(1, GRID_CHUNK_BYTES // bytes_of_one)
            return warped_in_chunks(
                sampler, interpolation, image, lambda part: family.grid(checked[part], shape), shape, images
            )
    grid = family.grid(theta, image.shape[2:] if size is None else size)
    # Hooks may change it, and so may a module that is no Sampler. A compiler has no use for what is known of the grid.
    if torch.compiler.is_compiling() or has_hooks(sampler) or not hasattr(type(sampler), "_interpolates"):
        made: Tensor = sampler(image, grid)
    else:
        begin_warp(grid)
        try:
            made = sampler(image, grid)
        finally:
            end_warp()
    if not hasattr(type(sampler), "_interpolates"):  # a Sampler has checked it
        check_sampled(sampler, "forward", made, image, grid)
    return made


def check_dimensions(family: TransformFamily, image: Tensor) -> None:
    """Raise an InputError unless an image has the dimensions of a family.

    Args:
        family: of maps in two or three dimensions.
        image: expected as (B, C, *size).

    Raises:
        InputError: for another number of axes.
    """
    coordinates.check_is_tensor("image", image)
    ndim = getattr(family, "ndim", None)  # a module of one's own need not say it
    if ndim is not None and image.ndim != ndim + 2:
        raise InputError(
            f"{type(family).__name__}: expected images of {ndim + 2} axes, (B, C, *size), "
            f"got shape {tuple(image.shape)}"
        )


def _check_family(given: object) -> None:
    if not isinstance(given, nn.Module) or not hasattr(given, "grid"):  # a compiled family has it by `__getattr__`
        raise InputError(f"family: expected a TransformFamily, got {_named(given)}")


def _check_sampler(given: object) -> None:
    if not isinstance(given, nn.Module) or isinstance(given, TransformFamily):
        raise InputError(f"sampler: expected a Sampler, got {_named(given)}")


def _named(given: object) -> str:
    return type(given).__name__ if isinstance(given, nn.Module) else repr(given)


def _makes_grids_in_chunks(family: TransformFamily, theta: object, image: Tensor) -> bool:
    """True where grids of a few images after the other are as good as that of the batch."""
    return (
        getattr(getattr(family, "_grid", None), "is_image_by_image", False)
        and family.ndim == 2
        and "grid" not in vars(family)
        and isinstance(theta, Tensor)
        and not torch.compiler.is_compiling()
        and not needs_gradient(theta, image)
    )


def _makes_grids_of_rows(family: TransformFamily) -> TypeGuard[MatrixFamily]:
    """True for a family whose grid is that of the rows of a 2 × 3 or 3 × 3 matrix, and nothing else."""
    # Not `isinstance`, which asks Python code of abstract classes.
    return getattr(type(family), "_grid_follows_rows", False) and family.ndim == 2 and not _is_changed(vars(family))


def _is_changed(own: dict[str, Any]) -> bool:
    """True if a family has methods of its own in place of its class's."""
    return "grid" in own or "_grid" in own or "_rows" in own or "_of_right_shape" in own or "check_theta" in own
