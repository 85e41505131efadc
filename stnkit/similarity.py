"""Similarity of two batches of images, as losses: one number for each pair, smaller for images that are more alike."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from stnkit import coordinates
from stnkit.errors import InputError

# Share of the variance of the whole image: added to those of windows, so that the correlation of a constant window is 0
# and has a gradient, and rounding is not taken for structure.
FLAT = 1e-4
# Roundings of the largest gray value. An image of a smaller range is constant: the resampling of a constant volume may
# leave one of five.
ROUNDINGS = 6


def mse(first: Float[Tensor, "B C *size"], second: Float[Tensor, "B C *size"]) -> Float[Tensor, "B"]:
    """Mean of (a − b)² over channels and pixels: for images of one modality that differ by noise alone.

    Args:
        first: a.
        second: b, of the same shape.

    Raises:
        InputError: when the shapes differ or are not those of images.

    Example:
        >>> import torch
        >>> from stnkit import similarity
        >>> similarity.mse(torch.zeros(1, 1, 2, 2), torch.full((1, 1, 2, 2), 0.5))
        tensor([0.2500])
    """
    first, second = _pair(first, second)
    return (first - second).square().flatten(start_dim=1).mean(dim=1)


def ncc(
    first: Float[Tensor, "B C *size"], second: Float[Tensor, "B C *size"], window: int | None = 9
) -> Float[Tensor, "B"]:
    """1 − mean of cov(a, b)² / (var a · var b) over all windows: for images whose gray values are related linearly.

    The square makes it blind to the sign of the relation. A window is a square (cube) about each pixel, of the pixels
    that are on the image. Where a or b is constant the quotient is 0: two blank images are not alike, and the mean is
    over the whole image, so that a pair that is alike wherever it is not blank has more than 0.

    Args:
        first: a.
        second: b, of the same shape.
        window: pixels along a side, an odd number of at least 3; None for one window, the whole image.

    Returns:
        0 to 1.

    Raises:
        InputError: when the window is no odd number, or the shapes differ or are not those of images.

    Example:
        >>> import torch
        >>> from stnkit import similarity
        >>> image = torch.rand(1, 1, 16, 16)
        >>> similarity.ncc(image, 0.5 - 0.2 * image) < 0.01
        tensor([True])

    Source: Avants et al., Symmetric diffeomorphic image registration with cross-correlation, Medical Image Analysis
        2008, equation 5; Balakrishnan et al., VoxelMorph, TMI 2019, equation 6.
    """
    first, second = _pair(first, second)
    check_window(window)
    first, second = _standardized(first), _standardized(second)
    mean = _window_mean(first, window)
    mean_a, mean_b = mean(first), mean(second)
    covariance = mean(first * second) - mean_a * mean_b
    # Rounding can leave a variance slightly below 0.
    variance_a = (mean(first.square()) - mean_a.square()).clamp_min(0)
    variance_b = (mean(second.square()) - mean_b.square()).clamp_min(0)
    correlation = covariance.square() / ((variance_a + FLAT) * (variance_b + FLAT))
    return 1 - correlation.flatten(start_dim=1).mean(dim=1)


def mutual_information(
    first: Float[Tensor, "B C *size"], second: Float[Tensor, "B C *size"], bins: int = 32
) -> Float[Tensor, "B"]:
    """−I(a, b) = −Σ p(i, j) log(p(i, j) / (p(i) p(j))): for images of which one predicts the other in any way.

    p is the joint histogram of the gray values of all channels and pixels, smoothed by Parzen windows: each value is
    shared among bins by a cubic B-spline. The bins cover the range of each image of the pair, so that brightness and
    contrast do not count.

    Args:
        first: a.
        second: b, of the same shape.
        bins: of each image, at least 5; with more bins than pixels allow, all images seem alike.

    Returns:
        In nats, at most 0: 0 where one image tells nothing about the other, as where one of them is constant.

    Raises:
        InputError: when there are fewer than 5 bins, or the shapes differ or are not those of images.

    Example:
        >>> import torch
        >>> from stnkit import similarity
        >>> image = torch.rand(1, 1, 64, 64)
        >>> similarity.mutual_information(image, image.square()) < -1
        tensor([True])

    Source: Mattes et al., PET-CT image registration in the chest using free-form deformations, TMI 2003, section II-B.
    """
    first, second = _pair(first, second)
    check_bins(bins)
    shares_a, shares_b = (_shares(image.flatten(start_dim=1), bins) for image in (first, second))
    with coordinates.full_precision(first):
        joint = shares_a.mT @ shares_b / shares_a.shape[1]
    independent = joint.sum(dim=2, keepdim=True) * joint.sum(dim=1, keepdim=True)
    # 0 log 0 is 0; without the bound its gradient would be NaN.
    tiny = torch.finfo(joint.dtype).tiny
    entries = joint * (joint.clamp_min(tiny) / independent.clamp_min(tiny)).log()
    # Rounding can leave less than 0.
    return -entries.sum(dim=(1, 2)).clamp_min(0)


def check_window(window: int | None) -> None:
    """Raise an InputError unless a window of `ncc` is an odd number of at least 3, or None.

    Args:
        window: pixels along a side.
    """
    if window is not None and (window < 3 or window % 2 == 0):
        raise InputError(f"window: expected an odd number of at least 3, or none, got {window}")


def check_bins(bins: int) -> None:
    """Raise an InputError unless `mutual_information` has at least 5 bins, which its splines need.

    Args:
        bins: of each image.
    """
    if bins < 5:
        raise InputError(f"bins: expected at least 5, got {bins}")


def _pair(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    for name, image in (("first", first), ("second", second)):
        coordinates.check_is_tensor(name, image)
    if first.shape != second.shape or first.ndim < 3:
        raise InputError(
            f"expected two batches of images of one shape, (B, C, *size), got {tuple(first.shape)} and "
            f"{tuple(second.shape)}"
        )
    return coordinates.widened(first), coordinates.widened(second)


def _standardized(images: Float[Tensor, "B C *size"]) -> Float[Tensor, "B C *size"]:
    """Images of mean 0 and variance 1, each channel by itself; constant ones are 0."""
    axes = tuple(range(2, images.ndim))
    centered = images - images.mean(dim=axes, keepdim=True)
    low, high = images.detach().amin(dim=axes, keepdim=True), images.detach().amax(dim=axes, keepdim=True)
    constant, unit = _is_constant(low, high), high - low
    # The result does not depend on the unit, nor does its gradient: its squares neither overflow nor underflow.
    scaled = torch.where(constant, 0.0, centered / torch.where(constant, 1.0, unit))
    mean_square = scaled.square().mean(dim=axes, keepdim=True)
    return scaled * torch.where(constant, 1.0, mean_square).rsqrt()


def _is_constant(low: Tensor, high: Tensor) -> Bool[Tensor, "..."]:
    """True for gray values between these that differ by roundings alone, in whatever unit they are."""
    return high - low <= ROUNDINGS * torch.finfo(low.dtype).eps * torch.maximum(low.abs(), high.abs())


def _window_mean(like: Tensor, window: int | None) -> Callable[[Tensor], Tensor]:
    """The function that takes images to their means over the windows; a window at the edge has the pixels inside."""
    size = like.shape[2:]
    # From 2n − 1 pixels on, a window about any pixel has the whole image inside.
    if window is None or window >= 2 * max(size) - 1:
        return lambda images: images.mean(dim=tuple(range(2, images.ndim)), keepdim=True)
    pool = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}[len(size)]
    # Padded here: the pooling of volumes refuses those that are smaller than the window.
    edge = [window // 2] * (2 * len(size))
    inside = pool(F.pad(like.new_ones(1, 1, *size), edge), window, stride=1)
    return lambda images: pool(F.pad(images, edge), window, stride=1) / inside


def _shares(values: Float[Tensor, "B N"], bins: int) -> Float[Tensor, "B N bins"]:
    """The share of each value in each bin: a cubic B-spline at the bin's center, 1 in sum."""
    low, high = values.amin(dim=1, keepdim=True), values.amax(dim=1, keepdim=True)
    # A spline reaches two bins to either side, so that the outermost values lie in the second bin and the last but one.
    constant = _is_constant(low, high)
    # All values of a constant image have one position, without a gradient.
    share = torch.where(constant, 0.0, (values - low) / torch.where(constant, 1.0, high - low))
    position = 1 + share * (bins - 3)
    distance = (position[..., None] - torch.arange(bins, dtype=values.dtype, device=values.device)).abs()
    return ((2 - distance).clamp_min(0) ** 3 - 4 * (1 - distance).clamp_min(0) ** 3) / 6
