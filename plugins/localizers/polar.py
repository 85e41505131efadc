"""An equivariant localizer: features of log-polar coordinates about a center that it predicts."""

import math
from collections.abc import Iterable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

import stnkit
from stnkit import coordinates
from stnkit.errors import InputError

# Radii of the first and the last ring, in units of the scale.
INNERMOST, OUTERMOST = 0.25, 2.5
# Number of linear images whose squares add up to the energy.
ENERGIES = 4
# Shorter side in pixels, up to which images are not averaged: the rings are as far apart as pixels there.
FINEST = 64
# Of the mean energy, below which an image counts as blank: contrasts of a few thousandths.
FAINTEST = 1e-6
# Of the first harmonic, below which an image has no direction. It bounds the gradient of the angle.
VAGUEST = 1e-3
SMALLEST_SIDE = 4


class Pose(NamedTuple):
    """Center, scale and direction of the content of images, which move, grow and turn with it."""

    # Normalized, x before y.
    center: Float[Tensor, "B 2"]
    # ln of the root mean square distance from the center, in quarters of the shorter side.
    log_scale: Float[Tensor, "B"]
    # (cos φ, sin φ) with x to the right and y down; shorter than 1 where the content has hardly a direction.
    direction: Float[Tensor, "B 2"]

    @property
    def angle(self) -> Float[Tensor, "B"]:
        """φ in radians, from −π to π: of a turn by δ clockwise φ + δ."""
        x, y = self.direction.unbind(dim=1)
        # Without a direction the derivative does not exist: replace it before it is used.
        lost = (x == 0) & (y == 0)
        return torch.atan2(y, torch.where(lost, 1.0, x))


class Polar(stnkit.Localizer):
    """(γφ, γ ln s, γc, f, v, v f): the pose (c, s, φ) of the content, v = s e^{iφ}, and f = relu(W·h) in its frame.

    With u the image less the mean of its border, and smoothed copies of it, the energy w(p) = Σ_j (a_j·u(p))² has the
    center c = Σ w p / Σ w and the scale s² = Σ w |p − c|² / Σ w. Bilinear reading at c + s r (cos ψ, sin ψ), on rings
    of equal steps of ln r, gives an image that a rotation shifts along ψ, and that neither a translation nor a scaling
    changes. Convolutions of 3×3, circular along ψ, with batch-norm and ReLU, and averages over 2 rings after each of
    them, turn it into maps m with the harmonics H_n = ⟨m e^{inψ}⟩ on each ring. A linear combination z of all H_1 has
    the direction φ = arg z, in whose frame the harmonics are h_n = e^{−inφ} H_n.

    If the content turns by δ, grows by g and moves, its pose becomes φ + δ, s g and the moved c, and f stays: up to the
    raster, with any weights. So a head that does not look at the image further gives an equivariant θ: φ, ln s and c
    are the θ of a similarity, and vectors v and v f the columns of an affine map. Training starts from the identity,
    which is not equivariant, and approaches such a head. On its way an affine map, a sum of the identity and a
    rotation, may be singular, which a similarity is not: take `transform=similarity`, or put it in front of another
    family, `transform=compose 'transform.stages=[similarity,affine]'`.

    Takes images of two dimensions, in training and later of any size.

    Args:
        in_shape: (C, H, W) of the images in training, with sides of at least 4; the program supplies it.
        channels: channels of each convolution; null is [16, 20].
        angles: number of angles ψ, at least 2 harmonics + 1.
        rings: number of rings between s / 4 and 2.5 s, a multiple of 2 ** len(channels).
        harmonics: largest n of the harmonics, at least 1.
        features: number of features f, at least 1.
        gain: γ, above 0: the larger, the sooner does θ follow the pose in training.
        downsample: factor of the average-pool in front; null is 1 up to a shorter side of 64 pixels, and more beyond.

    Raises:
        InputError: when images are smaller or not of two dimensions, or an option is out of its range.

    Example:
        >>> import torch, stnkit
        >>> localizer = stnkit.build("localizer", "polar", in_shape=(1, 28, 28)).eval()
        >>> image = torch.zeros(1, 1, 28, 28)
        >>> image[..., 10:18, 8:24] = torch.linspace(0.5, 1, 16)
        >>> clockwise = image.rot90(-1, dims=(2, 3))
        >>> turn = localizer.pose(clockwise).angle - localizer.pose(image).angle
        >>> turn.rad2deg().remainder(360).round().item()
        90.0

    Source: Esteves et al. 2018, Polar transformer networks, section 3 (log-polar about a predicted center); Tai,
        Bailis, Valiant 2019, Equivariant transformer networks (θ that is equivariant by its coordinates).
    """

    def __init__(
        self,
        in_shape: tuple[int, ...],
        channels: list[int] | None = None,
        angles: int = 32,
        rings: int = 16,
        harmonics: int = 2,
        features: int = 16,
        gain: float = 8.0,
        downsample: int | None = None,
    ) -> None:
        super().__init__()
        channels = [16, 20] if channels is None else list(channels)
        stnkit.localizers.check_channels(channels)
        if len(in_shape) != 3 or min(in_shape[1:]) < SMALLEST_SIDE:
            raise InputError(
                f"in_shape: expected (C, H, W) with sides of at least {SMALLEST_SIDE}, got {list(in_shape)}"
            )
        n_channels, *size = in_shape
        if downsample is None:
            downsample = max(1, -(-min(size) // FINEST))
        if min(harmonics, features, downsample) < 1:
            raise InputError(
                f"harmonics, features, downsample: expected at least 1, got {harmonics}, {features}, {downsample}"
            )
        factor = 2 ** len(channels)
        if angles < 2 * harmonics + 1:
            raise InputError(f"angles: expected at least {2 * harmonics + 1} for harmonics={harmonics}, got {angles}")
        if rings < 1 or rings % factor:
            raise InputError(f"rings: expected a multiple of {factor} for {len(channels)} convolutions, got {rings}")
        if not 0 < gain < math.inf:
            raise InputError(f"gain: expected a finite number above 0, got {gain}")
        self.downsample = downsample
        self.gain = gain
        self.pool = stnkit.localizers.average_pool(2, downsample)
        self.frame = _Frame(n_channels)
        self.sampler = stnkit.build("sampler", "bilinear")
        self.angles, self.rings, self.harmonics = angles, rings, harmonics
        layers: list[nn.Module] = []
        for width in channels:
            layers += [_Circular(n_channels, width), nn.BatchNorm2d(width), nn.ReLU(), nn.AvgPool2d((1, 2))]
            n_channels = width
        self.layers = nn.Sequential(*layers)
        n_maps = n_channels * (rings // factor)
        self.direction = nn.Linear(n_maps, 1, bias=False)
        self.last = nn.Linear(n_maps * (2 * harmonics + 1), features)
        self.n_features = 4 + features + 2 * (1 + features)

    def features(self, image: Float[Tensor, "B C H W"]) -> Float[Tensor, "B n_features"]:
        pose, harmonics = self._pose_and_harmonics(image)
        with coordinates.full_precision(pose.center):
            steered = _in_frame(harmonics, pose.direction).flatten(1)
            found = self.last(steered.to(self.last.weight.dtype)).relu().to(harmonics.dtype)
            # The gradient of the angle of a vague direction is unbounded: fade it out, and leave the angle.
            faded = pose.angle * pose.direction.square().sum(dim=1).detach()
            angle = faded + (pose.angle - faded).detach()
            vector = pose.log_scale.exp()[:, None] * pose.direction / _half_sides(image)
            vectors = vector[:, :, None] * torch.cat([torch.ones_like(found[:, :1]), found], dim=1)[:, None]
            pose_features = torch.cat([angle[:, None], pose.log_scale[:, None], pose.center], dim=1)
            return torch.cat([self.gain * pose_features, found, vectors.flatten(1)], dim=1)

    def pose(self, image: Float[Tensor, "B C H W"]) -> Pose:
        """Center, scale and direction of the content of images.

        Args:
            image: a batch of images.
        """
        return self._pose_and_harmonics(image)[0]

    def _pose_and_harmonics(self, image: Tensor) -> tuple[Pose, Float[Tensor, "B maps waves"]]:
        center, scale, read = self._resampled(image)
        maps = coordinates.widened(self.layers(read.to(image.dtype)))
        with coordinates.full_precision(maps):
            harmonics = maps.mT.flatten(1, 2) @ _waves(self.angles, self.harmonics, maps.dtype, maps.device)
            first = (self.direction.weight.to(maps.dtype) @ harmonics[:, :, 1:3]).squeeze(1)
            direction = first / (first.square().sum(dim=1, keepdim=True) + VAGUEST**2).sqrt()
            return Pose(center / _half_sides(image), (2 * scale).log(), direction), harmonics

    def _resampled(
        self, image: Tensor
    ) -> tuple[Float[Tensor, "B 2"], Float[Tensor, "B"], Float[Tensor, "B C angles rings"]]:
        """Center and scale in halves of the shorter side, and the image on the rings about them."""
        pooled = coordinates.widened(self.pool(image))
        with coordinates.full_precision(pooled):
            edges = [pooled[:, :, 0], pooled[:, :, -1], pooled[:, :, :, 0], pooled[:, :, :, -1]]
            contrast = pooled - torch.cat(edges, dim=2).mean(dim=2)[:, :, None, None]
            half_sides = _half_sides(image)
            # The last cells of the average-pool may reach beyond the image.
            reach = pooled.new_tensor([pooled.shape[d] * self.downsample / image.shape[d] for d in (3, 2)])
            cells = coordinates.lattice(pooled.shape[2:], dtype=pooled.dtype, device=pooled.device).flatten(0, 1)
            least = 2 * self.downsample / min(image.shape[2:])
            center, scale = self.frame(contrast, ((cells + 1) * reach - 1) * half_sides, least)
            rings = _rings(self.angles, self.rings, scale.dtype, scale.device)
            places = center[:, None, None] + scale[:, None, None, None] * rings
            return center, scale, self.sampler(contrast, (places / half_sides + 1) / reach - 1)


class _Frame(nn.Module):
    """Center and scale of images: moments of their energy, which turn and move with the content.

    Args:
        n_channels: of the images.
    """

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        # Twice over two pixels, [1 2 1] / 4 along each axis: nearly the same in all directions.
        self.smooth = nn.Sequential(nn.AvgPool2d(2, 1, padding=1), nn.AvgPool2d(2, 1))
        self.weight = nn.Parameter(torch.empty(ENERGIES, 3 * n_channels))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(
        self, image: Float[Tensor, "B C h w"], places: Float[Tensor, "N 2"], least: float
    ) -> tuple[Float[Tensor, "B 2"], Float[Tensor, "B"]]:
        """The center c and the scale s in units of half the shorter side.

        Args:
            image: less its border.
            places: of its pixels, in that unit.
            least: the smallest scale.
        """
        smooth = self.smooth(image)
        stack = torch.cat([image, smooth, self.smooth(smooth)], dim=1).flatten(2)
        energy = (self.weight.to(stack.dtype) @ stack).square().sum(dim=1)
        total = energy.mean(dim=1, keepdim=True) + FAINTEST
        center = energy @ places / places.shape[0] / total
        distance = (places - center[:, None]).square().sum(dim=2)
        # Of a blank image the center is 0 and the scale 1.
        squared = ((energy * distance).mean(dim=1, keepdim=True) + FAINTEST) / total
        return center, squared.clamp(min=least**2).sqrt().squeeze(1)


class _Circular(nn.Module):
    """A convolution of 3×3 that is circular along the first axis, and padded by zeros along the second.

    Args:
        n_in: number of channels of its input.
        n_out: number of channels of its output.
    """

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        # Batch-norm would subtract a bias behind it.
        self.convolution = nn.Conv2d(n_in, n_out, 3, padding=(0, 1), bias=False)

    def forward(self, image: Float[Tensor, "B C angles rings"]) -> Float[Tensor, "B K angles rings"]:
        """The convolution."""
        return self.convolution(torch.cat([image[:, :, -1:], image, image[:, :, :1]], dim=2))


def _half_sides(image: Float[Tensor, "B C H W"]) -> Float[Tensor, "2"]:
    """Halves of width and height in halves of the shorter side."""
    height, width = image.shape[2:]
    least = min(height, width)
    return torch.tensor(
        [width / least, height / least], dtype=coordinates.coordinate_dtype(image.dtype), device=image.device
    )


@stnkit.families.cached  # no buffers: these get no values after `to_empty`, and `.bfloat16()` rounds them for good
def _rings(angles: int, rings: int, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "angles rings 2"]:
    """Places r (cos ψ, sin ψ), with equal steps of ln r from ring to ring."""
    psi = torch.arange(angles, dtype=torch.float64, device=device) * (2 * math.pi / angles)
    share = (torch.arange(rings, dtype=torch.float64, device=device) + 0.5) / rings
    radius = INNERMOST * (OUTERMOST / INNERMOST) ** share
    return torch.stack([torch.outer(psi.cos(), radius), torch.outer(psi.sin(), radius)], dim=-1).to(dtype)


@stnkit.families.cached
def _waves(angles: int, harmonics: int, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "angles waves"]:
    """1, cos ψ, sin ψ, cos 2ψ, … / angles."""
    psi = torch.arange(angles, dtype=torch.float64, device=device) * (2 * math.pi / angles)
    waves = [torch.ones_like(psi)]
    for n in range(1, harmonics + 1):
        waves += [(n * psi).cos(), (n * psi).sin()]
    return (torch.stack(waves, dim=1) / angles).to(dtype)


def _in_frame(
    harmonics: Float[Tensor, "B maps waves"], direction: Float[Tensor, "B 2"]
) -> Float[Tensor, "B maps waves"]:
    """H_0, and e^{−inφ} H_n for every other n, real and imaginary parts one after the other."""
    x, y = direction[:, :1], direction[:, 1:]
    cos, sin, found = x, y, [harmonics[:, :, 0]]
    for n in range(1, (harmonics.shape[2] + 1) // 2):
        real, imaginary = harmonics[:, :, 2 * n - 1], harmonics[:, :, 2 * n]
        found += [real * cos + imaginary * sin, imaginary * cos - real * sin]
        cos, sin = cos * x - sin * y, cos * y + sin * x
    return torch.stack(found, dim=2)


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("polar", Polar)
