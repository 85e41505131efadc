"""A localizer that correlates the features of two images."""

import math
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

import stnkit
from stnkit.errors import InputError

# Standard deviation of an image of values from 0 to 1, below which its contrast is not raised to that of others.
FAINTEST = 0.01


class Correlation(stnkit.Localizer):
    """Features of both images of a pair, correlated within `radius` cells, then convolutions over the correlations.

    One encoder reads both images, each less its mean and divided by its standard deviation: convolutions with
    batch-norm and ReLU, each of stride 2, and a last one of stride 1. With f₁ and f₂ the features of the first and the
    second image in a cell, less their mean over the cells, at unit length,

        c(p, d) = f₂(p) · f₁(p + d),  d ∈ {−radius, …, radius}^ndim,

    is 0 outside of the image. Convolutions of stride 2, as many as leave at most 4 cells along each axis, and a fully
    connected layer turn it into features. For pairs (moving, fixed), one after the other on the channels, as
    `placement=pair` has them.

    Args:
        in_shape: (2C, *size) of the pairs; the program supplies it.
        channels: channels of each convolution of stride 2 of the encoder: cells have 2 ** len(channels) pixels a side;
            null is [8, 16, 32].
        radius: that of the search, in cells.
        width: channels of the convolutions over the correlations.
        features: width of the fully connected layer.

    Raises:
        InputError: when the number of channels is odd, or an option is out of its range.

    Example:
        >>> import stnkit, torch
        >>> localizer = stnkit.build("localizer", "correlation", in_shape=(2, 128, 128))
        >>> localizer(torch.rand(4, 2, 128, 128)).shape
        torch.Size([4, 256])

    Source: Rocco, Arandjelović, Sivic 2017, Convolutional neural network architecture for geometric matching, section
        3; the correlation within a radius: Dosovitskiy et al. 2015, FlowNet, section 3.
    """

    def __init__(
        self,
        in_shape: tuple[int, ...],
        channels: list[int] | None = None,
        radius: int = 5,
        width: int = 48,
        features: int = 256,
    ) -> None:
        super().__init__()
        channels = [8, 16, 32] if channels is None else list(channels)
        stnkit.localizers.check_channels(channels)
        if min(radius, width, features) < 1:
            raise InputError(f"radius, width, features: expected at least 1, got {radius}, {width}, {features}")
        n_channels, *size = in_shape
        if len(size) not in (2, 3) or n_channels % 2:
            raise InputError(
                f"in_shape: expected (2C, H, W) or (2C, D, H, W), the channels of two images, got {list(in_shape)}"
            )
        ndim, n = len(size), n_channels // 2
        layers: list[nn.Module] = []
        block = stnkit.localizers.convolution_block
        for out in channels:
            layers.append(block(ndim, n, out, stride=2))
            n, size = out, [-(-side // 2) for side in size]
        self.encoder = nn.Sequential(*layers, block(ndim, n, n))
        self.size, self.radius = tuple(size), radius
        self.n_shifts = (2 * radius + 1) ** ndim
        norm = nn.BatchNorm2d if ndim == 2 else nn.BatchNorm3d
        layers = [norm(self.n_shifts), nn.ReLU(), block(ndim, self.n_shifts, width)]
        while max(size) > 4:
            layers.append(block(ndim, width, width, stride=2))
            size = [-(-side // 2) for side in size]
        layers += [nn.Flatten(), nn.Linear(width * math.prod(size), features), nn.ReLU()]
        self.head = nn.Sequential(*layers)
        self.n_features = features
        self.in_shape = tuple(in_shape)

    def features(self, image: Float[Tensor, "B C *size"]) -> Float[Tensor, "B n_features"]:
        return self.head(self.correlations(image))

    def correlations(self, image: Float[Tensor, "B C *size"]) -> Float[Tensor, "B shifts *cells"]:
        """c(p, d), the shifts d on the channels, the last coordinate of d varying fastest.

        Args:
            image: a batch of pairs.
        """
        n = image.shape[0]  # not len(): a number would be a constant of exported programs
        encoded = self.encoder(_standardized(torch.cat(image.chunk(2, dim=1)))).flatten(start_dim=2)
        unit = F.normalize(encoded - encoded.mean(dim=2, keepdim=True), dim=1)
        all_cells = (unit[n:].mT @ unit[:n]).flatten(start_dim=1)
        pairs = _pairs_of_cells(self.size, self.radius, image.device)
        # The entry behind the last one is that of the cells outside of the image.
        return F.pad(all_cells, (0, 1)).index_select(1, pairs).view(n, self.n_shifts, *self.size)


def _standardized(image: Float[Tensor, "B C *size"]) -> Float[Tensor, "B C *size"]:
    axes = tuple(range(1, image.ndim))
    centered = image - image.mean(dim=axes, keepdim=True)
    return centered / (centered.square().mean(dim=axes, keepdim=True) + FAINTEST**2).sqrt()


@stnkit.families.cached  # no buffer: it gets no values after `to_empty`
def _pairs_of_cells(size: tuple[int, ...], radius: int, device: torch.device) -> Int64[Tensor, "entries"]:
    """For each shift and cell p the index of (p, p + shift) among all pairs of cells; their number for none."""
    ndim, n = len(size), math.prod(size)
    first = torch.arange(n, device=device).view(*[1] * ndim, *size)
    pairs, inside = first * n, torch.ones((), dtype=torch.bool, device=device)
    for axis, side in enumerate(size):  # far less memory than the coordinates of all pairs
        moved = torch.arange(-radius, radius + 1, device=device)[:, None] + torch.arange(side, device=device)
        shape = [1] * (2 * ndim)
        shape[axis], shape[ndim + axis] = moved.shape
        pairs = pairs + (moved * math.prod(size[axis + 1 :])).view(shape)
        inside = inside & ((moved >= 0) & (moved < side)).view(shape)
    return torch.where(inside, pairs, n * n).flatten()


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("correlation", Correlation)
