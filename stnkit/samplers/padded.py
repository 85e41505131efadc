"""PaddedSampler: a sampler with a choice of padding outside of the image."""

import abc
from typing import ClassVar, final

import torch
import torch.nn.functional as F
from jaxtyping import Complex, Float, Shaped
from torch import Tensor

from stnkit import coordinates
from stnkit.errors import InputError
from stnkit.families.tracing import is_noted, known_within
from stnkit.finite_numbers import is_finite
from stnkit.native.conditions import takes
from stnkit.native.function import warped
from stnkit.samplers.padding import Padding, check_label_fill, mirrored, wrapped
from stnkit.samplers.results import check_sampled
from stnkit.samplers.sampler import Sampler, interpolation_of

# In units of the dtype's resolution: the largest error of a sum of weights.
_ROUNDING = 64


class PaddedSampler(Sampler):
    """A sampler with padding, linear in the image. A subclass implements `sample`.

    Of a complex image the real and the imaginary part are read, each as an image. Integers and booleans are refused,
    where `reads_labels` does not say otherwise.

    A subclass with options of its own ends its constructor's parameters with `**padding` and hands them on: in a config
    that stands for the two parameters here.

    Args:
        padding: value of the pixels beyond the image's edge: zeros, border (that of the edge pixel), reflection about
            the edge, mirror about the center of the edge pixel, circular (the image repeats), or fill (a constant).
        fill_value: the constant of fill, a number or one for each channel; the other paddings leave it unused, so that
            a sweep over paddings can name it.

    Attributes:
        reads_labels: True if `sample` takes images of integers and booleans too, and returns pixels as they are.

    Raises:
        InputError: for an unknown padding or a fill value that is not finite.

    Example:
        >>> import torch, stnkit
        >>> sampler = stnkit.build("sampler", "bilinear", padding="border")
        >>> sampler(torch.ones(1, 1, 4, 4), torch.full((1, 1, 1, 2), 9.0)).item()
        1.0
    """

    reads_labels: ClassVar[bool] = False

    def __init__(self, padding: Padding | str = Padding.zeros, fill_value: float | list[float] = 0.0) -> None:
        super().__init__()
        self._padding = Padding.parse(padding)
        values = list(fill_value) if isinstance(fill_value, list | tuple) else [fill_value]
        if not values or not all(map(is_finite, values)):
            raise InputError(
                f"fill_value: expected a finite number, or a list of one for each channel, got {fill_value!r}"
            )
        self.fill_value = fill_value

    @property
    def padding(self) -> Padding:
        """The padding, which is fixed: what a sampler has built for it would not follow."""
        return self._padding

    @property
    def sample_padding(self) -> Padding:
        """The padding that `sample` applies: zeros in place of fill.

        `forward` adds fill times the share of the weights that lie outside of the image.
        """
        return Padding.zeros if self._padding is Padding.fill else self._padding

    @abc.abstractmethod
    def sample(
        self, image: Float[Tensor, "B C *in_size"], grid: Float[Tensor, "B *out_size ndim"]
    ) -> Float[Tensor, "B C *out_size"]:
        """The image at the grid with `sample_padding`; both have the same dtype, float32 or wider."""

    @final  # type: ignore[misc]  # torch declares it an attribute
    def forward(
        self, image: Shaped[Tensor, "B C *in_size"], grid: Float[Tensor, "B *out_size ndim"]
    ) -> Shaped[Tensor, "B C *out_size"]:
        """The image at the grid, computed in the wider of their dtypes, returned in the image's.

        Raises:
            InputError: when batch sizes differ, the image is of floats of 8 bits, or of integers or booleans and the
                sampler does not read them, there is not one fill value for each channel, or it is no value of the
                image's dtype.
        """
        if image.shape[0] != grid.shape[0]:
            raise InputError(f"theta or grid: expected a batch of {image.shape[0]}, as the image, got {grid.shape[0]}")
        if not image.is_floating_point():
            return self._of_complex(image, grid) if image.is_complex() else self._of_labels(image, grid)
        if image.dtype.itemsize == 1:
            raise InputError(f"image: expected a floating-point tensor of at least 16 bits, got {image.dtype}")
        interpolation = interpolation_of(self)
        if interpolation is not None and takes(image, grid, interpolation):
            return warped(self, interpolation, image, grid, grid.shape[1:3])
        # Skip no-op conversions: each costs as much as a small kernel.
        if image.dtype == grid.dtype:
            sampled = self._sampled(image, grid)
        else:
            wide = torch.promote_types(image.dtype, grid.dtype)
            sampled = self._sampled(image.to(wide), grid.to(wide))
        return sampled if sampled.dtype == image.dtype else sampled.to(image.dtype)

    def _checked_sample(self, image: Tensor, grid: Tensor) -> Tensor:
        sampled = self.sample(image, grid)
        check_sampled(self, "sample", sampled, image, grid)
        return sampled

    def _sampled(self, image: Tensor, grid: Tensor) -> Tensor:
        with coordinates.full_precision(image):
            sampled = self._checked_sample(image, grid)
            if self.padding is not Padding.fill:
                return sampled
            return sampled + self._fill(image) * self._share_outside(image, grid)

    def _of_complex(
        self, image: Complex[Tensor, "B C *in_size"], grid: Float[Tensor, "B *out_size ndim"]
    ) -> Complex[Tensor, "B C *out_size"]:
        if self.padding is not Padding.fill:
            both = self.forward(torch.cat([image.real, image.imag], dim=1), grid)
            return torch.complex(*both.chunk(2, dim=1))
        real = self.forward(image.real, grid)  # a fill value is real
        with coordinates.full_precision(grid):
            wide = torch.promote_types(real.dtype, grid.dtype)
            imaginary = self._checked_sample(image.imag.to(wide), grid.to(wide))
        return torch.complex(real, imaginary.to(real.dtype))

    def _of_labels(
        self, image: Shaped[Tensor, "B C *in_size"], grid: Float[Tensor, "B *out_size ndim"]
    ) -> Shaped[Tensor, "B C *out_size"]:
        if not self.reads_labels:
            reader = "sampler=nearest reads integers and booleans"
            raise InputError(f"image: expected a floating-point tensor, got {image.dtype}; {reader}")
        sampled = self._checked_sample(image, grid)
        if self.padding is not Padding.fill:
            return sampled
        # Not of booleans, between which ONNX Runtime does not choose.
        ones = image.new_ones((), dtype=torch.uint8).expand(image.shape[0], 1, *image.shape[2:])
        return torch.where(self._checked_sample(ones, grid).bool(), sampled, self._fill(image))

    def _share_outside(self, image: Tensor, grid: Tensor) -> Tensor:
        """The sum of the weights that lie outside of the image: 0 inside, and not only up to rounding."""
        ones = image.new_ones(()).expand(image.shape[0], 1, *image.shape[2:])
        share = 1 - self._checked_sample(ones, grid)
        # Of the value alone: at the center of a border pixel it is 0, and its slope is not.
        value = share.detach()
        return share - torch.where(value.abs() < _ROUNDING * torch.finfo(share.dtype).eps, value, 0.0)

    @final
    def grid_sample(
        self,
        image: Float[Tensor, "B C *in_size"],
        grid: Float[Tensor, "B *out_size ndim"],
        mode: str,
        margin: int,
    ) -> Float[Tensor, "B C *out_size"]:
        """The `grid_sample` of torch with `sample_padding`, from which a subclass may build `sample`.

        Circular padding, which torch lacks, reads an image continued by `margin` pixels: two to three times the time
        of the others, where gathering pixel by pixel takes four to fifteen times.

        Args:
            image: a batch of images.
            grid: normalized source points, x first; a NaN point may read NaN.
            mode: torch's.
            margin: number of pixels beyond the image that this mode reads for a point on it.
        """
        padding = self.sample_padding.value
        if not is_noted(grid) and not known_within(grid, coordinates.OUTSIDE):
            # Torch reads NaN there, or whatever its integers make of it.
            grid = coordinates.finite(grid)
        if self.sample_padding is Padding.circular:
            extent = torch.tensor(image.shape[:1:-1], dtype=grid.dtype, device=grid.device)
            # One period is [-1, 1), a smaller share of the wider image.
            grid = (torch.remainder(grid + 1, 2) - 1) * (extent / (extent + 2 * margin))
            image, padding = wrapped(image, margin), Padding.border.value
        elif self.sample_padding is Padding.mirror and margin > 1:
            # The cubic: torch mirrors each tap about the centers where these are the ends of its coordinates.
            extent = torch.tensor(image.shape[:1:-1], dtype=grid.dtype, device=grid.device)
            grid = grid * torch.where(extent > 1, extent / (extent - 1).clamp(min=1), 0.0)
            return F.grid_sample(image, grid, mode=mode, padding_mode="reflection", align_corners=True)
        elif self.sample_padding is Padding.mirror:
            # Points on the image stay as they are, so that those at pixel centers do not change sides.
            grid, padding = mirrored(grid, image.shape[2:]), Padding.border.value
        return F.grid_sample(image, grid, mode=mode, padding_mode=padding, align_corners=False)

    def extra_repr(self) -> str:
        fill = f", fill_value={self.fill_value!r}" if self.padding is Padding.fill else ""
        return f"padding={self.padding.value!r}{fill}"

    def _fill(self, image: Tensor) -> float | Tensor:
        if not image.is_floating_point():
            check_label_fill(self.fill_value, image.dtype)
        if not isinstance(self.fill_value, list | tuple):
            return self.fill_value if image.is_floating_point() else image.new_tensor(self.fill_value)
        n_channels = image.shape[1]
        if len(self.fill_value) != n_channels:
            raise InputError(
                f"fill_value: expected a number, or one for each of the {n_channels} channels, "
                f"got {len(self.fill_value)}"
            )
        values = torch.tensor(self.fill_value, dtype=image.dtype, device=image.device)
        return values.view(-1, *[1] * (image.ndim - 2))
