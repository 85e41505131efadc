"""KernelSampler: the paper's sum over all pixels, for a separable kernel of finite support."""

import abc
import inspect
import itertools
import math
from typing import Any, ClassVar, final

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from stnkit import coordinates
from stnkit.contract import POSITIVE_NUMBER, Requirement
from stnkit.portable import is_exported
from stnkit.renaming import tell_renamed
from stnkit.samplers.padded import PaddedSampler
from stnkit.samplers.padding import Padding, source_index

# The share of the weights below which no mean of the pixels on the image is taken: rounding errors grow with 1 / share.
_LEAST = 1e-3


class KernelSampler(PaddedSampler):
    """V(p) = Σ_i U_i Π_d k(p_d − i_d), p and i in pixels, in two or three dimensions.

    A subclass sets `support` and implements `kernel`, and may implement the hooks `prefilter`, `widening` and
    `widened_kernel`.
    It consists of plain differentiable operations: double backward works as far as the kernel's does.
    Time and, while gradients are recorded, memory grow with the number of taps, ⌈2·support⌉^ndim.
    An exported program gathers a slice of taps of a volume at once, in ⌈2·support⌉ times the memory of a row.
    Points that are not finite lie outside of the image.

    Attributes:
        support: k(d) = 0 for |d| > support, in pixels; not necessarily an integer.
        normalized: divide the weights by their sum, for kernels that do not sum to one everywhere.
        renormalized: with zeros and fill, drop the weights outside of the image and divide the others by their sum;
            the constant is read where hardly any is left. With other paddings the image goes on, and none is dropped.

    Example:
        >>> import torch, stnkit
        >>> class Box(stnkit.samplers.KernelSampler):
        ...     support = 0.5
        ...     def kernel(self, distance):
        ...         return torch.ones_like(distance)
        >>> Box()(torch.arange(4.0).view(1, 1, 1, 4), torch.tensor([[[[0.3, 0.0]]]])).item()
        2.0

    Source: Jaderberg et al. 2015, equation 3.
    """

    abstract_attributes: ClassVar[dict[str, Requirement]] = {"support": POSITIVE_NUMBER}

    support: float
    normalized: bool = False
    renormalized: bool = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        own = vars(cls).get("widening")
        if inspect.isfunction(own) and len(inspect.signature(own).parameters) == 2:
            tell_renamed(f"{cls.__qualname__}.widening takes the parameters pixels and size now")
            cls.widening = lambda self, pixels, size: own(self, pixels)  # type: ignore[method-assign]

    @abc.abstractmethod
    def kernel(self, distance: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
        """k(d): the weight of a pixel, differentiable in d.

        At a kink the derivative should be that from the right, d ↓, as torch's samplers have it; grids at the
        identity lie on pixel centers, and `abs` has derivative 0 there.

        Args:
            distance: d = p − i in pixels with its sign, |d| at most ⌈2·support⌉/2.
        """

    def prefilter(self, image: Float[Tensor, "B C *in_size"]) -> Float[Tensor, "B C *wider"]:
        """Optional hook: the coefficients U of the sum; by default the image.

        They may extend beyond the image, equally on both sides of an axis; padding lies outside of them.

        Args:
            image: a batch of images.
        """
        return image

    def widening(
        self, pixels: Float[Tensor, "B *out_size ndim"], size: tuple[int, ...]
    ) -> Float[Tensor, "B *out_size ndim"] | None:
        """Optional hook: the width w of the kernel at each point and axis; by default None, for 1.

        `support` is then that of the widest kernel.

        Args:
            pixels: source points as pixel indices, x first.
            size: of the image, (H, W) or (D, H, W).
        """
        return None

    def widened_kernel(self, distance: Float[Tensor, "*any"], width: Float[Tensor, "*#any"]) -> Float[Tensor, "*any"]:
        """Optional hook: the weight of a pixel where the kernel has a width; by default k(d/w).

        Args:
            distance: as `kernel` gets it.
            width: w, as `widening` returned it.
        """
        return self.kernel(distance / width)

    @final
    def sample(
        self, image: Float[Tensor, "B C *in_size"], grid: Float[Tensor, "B *out_size ndim"]
    ) -> Float[Tensor, "B C *out_size"]:
        """Σ_i U_i Π_d k(p_d − i_d), one row of taps after the other."""
        pixels = coordinates.to_pixels(coordinates.finite(grid), image.shape[2:])
        widths = self.widening(pixels, tuple(image.shape[2:]))
        source = self.prefilter(image)
        batch, channels, *size = source.shape
        axes = []
        for d, n in enumerate(size):
            x = pixels[..., -1 - d].flatten(1)[:, None]
            width = None if widths is None else widths[..., -1 - d].flatten(1)[:, None]
            axes.append(self._taps(x, width, n, (n - image.shape[2 + d]) // 2, outside=math.prod(size)))
        if len(axes) == 3 and is_exported():
            # A program holds every row of taps as operations of its own: of volumes an export would take minutes.
            size, axes = [size[0], size[1] * size[2]], [axes[0], _joined(axes[1], axes[2], size[2])]
        *outer, (columns, column_weights) = axes
        flat = source.flatten(2)
        n_pixels = flat.shape[2]
        if self.sample_padding is Padding.zeros:
            # The pixel that all taps outside read. A weight of 0 would not do: 0 · NaN is NaN.
            flat = F.pad(flat, (0, 1))
        # Not of `new_zeros`, whose shape tract cannot tell from its type.
        total: Any = 0.0
        for taps in itertools.product(range(self._n_taps), repeat=len(outer)):
            start, row_weight = _row(outer, size, taps)
            index = start + columns
            if self.sample_padding is Padding.zeros:
                index = index.clamp(max=n_pixels)
            index = index.flatten(1)[:, None].expand(-1, channels, -1)
            values = flat.gather(2, index).view(batch, channels, *columns.shape[1:])
            total = total + (values * column_weights[:, None]).sum(dim=2) * row_weight
        sampled: Tensor = total.view(batch, channels, *grid.shape[1:-1])
        return sampled

    @property
    def _n_taps(self) -> int:
        return math.ceil(2 * self.support)

    def _taps(
        self, x: Float[Tensor, "B 1 P"], width: Float[Tensor, "B 1 P"] | None, n: int, margin: int, outside: int
    ) -> tuple[Int64[Tensor, "B taps P"], Float[Tensor, "B taps P"]]:
        """The pixels of one axis under the kernel, and their weights."""
        n_taps = self._n_taps
        # The pixel in the middle of the taps: the nearest for an odd number of taps, else the one to the left.
        half = n_taps % 2 / 2
        start = torch.floor(x.detach() + half)
        # In [-half, 1 - half): a point left of a center by less than a rounding error must stay there, or one tap
        # would be past its kink and the next would not. For the same reason fractions are multiples of a quantum with
        # which the distances of all taps are exact, and widths are, too.
        quantum = torch.finfo(x.dtype).eps * 2 ** (n_taps.bit_length() - 2)
        fraction = x - start
        exact = _multiple(fraction, quantum).clamp(max=1 - half - quantum)
        fraction = fraction + (exact - fraction.detach())
        if width is not None:
            width = width + (_multiple(width, quantum) - width.detach())
        offsets = torch.arange(n_taps, device=x.device)[:, None] - (n_taps - 1) // 2
        index = start.long() + margin + offsets
        distance = fraction - offsets.to(x.dtype)
        weight = self.kernel(distance) if width is None else self.widened_kernel(distance, width)
        if self.normalized:
            weight = weight / weight.sum(dim=1, keepdim=True)
        if self.renormalized and self.sample_padding is Padding.zeros:
            weight = _renormalized(weight, (index >= 0) & (index < n))
        if self.sample_padding is Padding.zeros:
            return torch.where((index >= 0) & (index < n), index, outside), weight
        return source_index(index, n, self.sample_padding), weight


def _multiple(number: Float[Tensor, "*any"], quantum: float) -> Float[Tensor, "*any"]:
    """The nearest multiple of a quantum, without a gradient."""
    return torch.floor(number.detach() / quantum + 0.5) * quantum


def _renormalized(weight: Float[Tensor, "B taps P"], inside: Bool[Tensor, "B taps P"]) -> Float[Tensor, "B taps P"]:
    """The weights of the pixels inside, with sum one; unchanged where they are too few to divide by their sum."""
    left = torch.where(inside, weight, 0.0)
    total = left.sum(dim=1, keepdim=True)
    enough = total > _LEAST
    return torch.where(enough, left / torch.where(enough, total, 1.0), weight)


def _joined(
    outer: tuple[Tensor, Tensor], inner: tuple[Tensor, Tensor], size: int
) -> tuple[Int64[Tensor, "B taps P"], Float[Tensor, "B taps P"]]:
    """The pixels of two axes as those of one, and their weights; `size` is that of the inner one."""
    index = outer[0][:, :, None] * size + inner[0][:, None]
    weight = outer[1][:, :, None] * inner[1][:, None]
    return index.flatten(1, 2), weight.flatten(1, 2)


def _row(
    axes: list[tuple[Tensor, Tensor]], size: list[int], taps: tuple[int, ...]
) -> tuple[Int64[Tensor, "B 1 P"], Float[Tensor, "B 1 P"]]:
    """The start of one row of pixels in the flat image, and its weight: the product over the other axes."""
    starts = [index[:, tap, None] for (index, _), tap in zip(axes, taps, strict=True)]
    weights = [weight[:, tap, None] for (_, weight), tap in zip(axes, taps, strict=True)]
    start, row_weight = starts[0], weights[0]
    for d in range(1, len(axes)):
        start, row_weight = start * size[d] + starts[d], row_weight * weights[d]
    return start * size[-1], row_weight
