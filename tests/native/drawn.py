"""Warps for the comparison of the native path with the composite one, and how far float32 may be off in them."""

import dataclasses
import functools

import torch
from hypothesis import strategies as st
from torch import Tensor

import stnkit
from stnkit import coordinates

EPS = torch.finfo(torch.float32).eps
# A source point that may be off by more than this, in pixels, says nothing: near a horizon, or far outside.
UNKNOWN = 0.2
# A share of the weights outside of the image that is smaller than this, in units of the resolution, is none for `fill`.
UNFILLED = 64

SIZES = st.one_of(st.integers(1, 6), st.integers(7, 40))
# Wider outputs are made in tiles.
OUT_SIZES = st.one_of(st.integers(1, 6), st.integers(7, 40), st.integers(125, 140))


@dataclasses.dataclass
class Case:
    """One warp with an upstream gradient.

    Args:
        kind: affine, projective, or grid for a grid without a family.
        theta: (N, P) in float32; for a grid (N, Ho, Wo, 2).
        image: of any element type and memory format.
        sampling: name and options of the sampler, bilinear or bicubic.
        size: of the output.
        upstream: the gradient of the output, in float32.
    """

    kind: str
    theta: Tensor
    image: Tensor
    sampling: dict[str, object]
    size: tuple[int, int]
    upstream: Tensor

    @functools.cached_property
    def family(self) -> stnkit.families.MatrixFamily | None:
        """That of the kind, None for a grid."""
        return None if self.kind == "grid" else stnkit.build("transform", self.kind)

    @functools.cached_property
    def sampler(self) -> stnkit.samplers.PaddedSampler:
        """That of the options."""
        return stnkit.build("sampler", self.sampling)

    def warp(self, theta: Tensor, image: Tensor) -> Tensor:
        """The warped image."""
        if self.family is None:
            return self.sampler(image, theta)
        return stnkit.warp(self.family, theta, image, self.sampler, self.size)

    def grid(self) -> Tensor:
        """The exact source points."""
        exact = self.theta.double()
        return coordinates.finite(exact) if self.family is None else self.family.grid(exact, self.size)

    def pixels(self) -> Tensor:
        """The exact source points as pixel indices."""
        return coordinates.to_pixels(self.grid(), self.image.shape[2:])

    def off(self) -> Tensor:
        """A bound of the error of a source point in pixels, (N, Ho, Wo, 2): a few roundings of what is added up."""
        extent = torch.tensor([self.image.shape[3], self.image.shape[2]], dtype=torch.float64)
        grid = self.grid()
        if self.family is None:
            return EPS * extent * (1 + grid.abs())
        rows = self.family.matrix(self.theta.double()).abs().clamp(max=1e30).nan_to_num(1e30)
        terms = rows.sum(dim=-1)[:, None, None]  # of the corners, from which the native path counts pixels
        w = torch.einsum("nrk,hwk->nhwr", self.family.matrix(self.theta.double()), _signed(self.size))[..., 2:]
        known = w.abs().clamp(min=1e-30).nan_to_num(1e-30)
        numerator = (terms[..., :2] + (1 + grid.abs()) * terms[..., 2:]) / known
        off = EPS * extent * (1 + grid.abs() + numerator)
        # On which side of the horizon?
        return torch.where(w.nan_to_num().abs() < 1e-5 + 8 * EPS * terms[..., 2:], torch.inf, off)

    def hardly_outside(self) -> Tensor:
        """The points with a share outside that is none in float32 and something in float64."""
        if self.sampling["padding"] != "fill":
            return torch.zeros((), dtype=torch.bool)
        sampler = stnkit.build("sampler", {**self.sampling, "padding": "zeros", "fill_value": 0.0})
        share = 1 - sampler(torch.ones(len(self.image), 1, *self.image.shape[2:], dtype=torch.float64), self.grid())
        return (share.abs() < 2 * UNFILLED * EPS)[:, 0] & (share != 0)[:, 0]


def _signed(size: tuple[int, int]) -> Tensor:
    points = coordinates.lattice(size, dtype=torch.float64)
    return torch.cat([points, torch.ones_like(points[..., :1])], dim=-1)


# Linear part and shift of an affine map, as numbers of a random generator.
def _near_identity(draw: torch.Generator) -> Tensor:
    return torch.eye(2, 3) + 0.3 * torch.randn(2, 3, generator=draw)


def _rotation(draw: torch.Generator) -> Tensor:
    return torch.tensor([[0.0, -1, 0], [1, 0, 0]])


def _outside(draw: torch.Generator) -> Tensor:
    return torch.tensor([[1.0, 0, 5], [0, 1, -7]])


def _singular(draw: torch.Generator) -> Tensor:
    row = torch.randn(1, 3, generator=draw)
    return torch.cat([row, 0.5 * row])


def _broken(value: float) -> Tensor:
    rows = torch.eye(2, 3)
    rows[0, 1] = value
    return rows


MAPS = {
    "identity": lambda draw: torch.eye(2, 3),
    "near": _near_identity,
    "zoom in": lambda draw: 0.01 * _near_identity(draw),
    "zoom out": lambda draw: 100 * _near_identity(draw),
    "mirror": lambda draw: torch.tensor([[-1.0, 0, 0], [0, 1, 0]]),
    "rotation": _rotation,
    "outside": _outside,
    "singular": _singular,
    "constant": lambda draw: torch.zeros(2, 3),
    "nan": lambda draw: _broken(torch.nan),
    "infinite": lambda draw: _broken(torch.inf),
    "huge": lambda draw: _broken(1e6),
}


@st.composite
def cases(draw: st.DrawFn, kind: str, **sampling: object) -> Case:
    """Warps of a kind: affine, projective or grid."""
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))

    def randn(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    n, c = draw(st.integers(1, 3)), draw(st.sampled_from([1, 2, 3, 4, 9, 33]))
    h, w = draw(SIZES), draw(SIZES)
    size = (h, w) if draw(st.booleans()) else (draw(OUT_SIZES), draw(OUT_SIZES))
    image = _laid_out(
        draw(st.sampled_from(["contiguous", "channels_last", "strided", "expanded", "window", "transposed"])),
        randn,
        (n, c, h, w),
    )
    image = image.to(draw(st.sampled_from([torch.float32] * 3 + [torch.float16, torch.bfloat16])))
    if sampling.get("padding") == "fill":
        sampling["fill_value"] = draw(st.sampled_from([0.75, [0.5 * k for k in range(c)]]))
    upstream = randn(n, c, *size)
    if draw(st.booleans()):
        upstream = upstream.to(memory_format=torch.channels_last)
    if kind == "grid":
        theta = _grid(draw(st.sampled_from(["planar", "interleaved", "strided"])), randn, n, size)
    else:
        maps = [MAPS[draw(st.sampled_from([*MAPS]))](generator) for _ in range(n)]
        theta = torch.stack(maps).flatten(1)
        if kind == "projective":
            theta = torch.cat([theta, draw(st.sampled_from([0.0, 0.2, 2.0])) * randn(n, 2)], dim=1)
    return Case(kind, theta, image, {"name": "bilinear", **sampling}, size, upstream)


def _laid_out(layout: str, randn, shape: tuple[int, int, int, int]) -> Tensor:
    n, c, h, w = shape
    if layout == "strided":
        return randn(n, c, h, 2 * w)[..., ::2]
    if layout == "window":
        return randn(n, c, h + 3, w + 5)[:, :, 1 : h + 1, 2 : w + 2]
    if layout == "transposed":
        return randn(n, c, w, h).mT
    if layout == "expanded":
        return randn(1, c, h, w).expand(n, -1, -1, -1)
    return randn(*shape).to(memory_format=torch.channels_last if layout == "channels_last" else torch.contiguous_format)


def _grid(layout: str, randn, n: int, size: tuple[int, int]) -> Tensor:
    if layout == "planar":
        grid = (coordinates.lattice(size).movedim(-1, 0) + 0.4 * randn(n, 2, *size)).movedim(1, -1)
    else:
        grid = coordinates.lattice(size) + 0.4 * randn(n, *size, 2)
    if layout == "strided":
        grid = torch.stack([grid, grid], dim=-1)[..., 0]
    grid[0, 0, 0] = torch.nan
    grid[-1, -1, -1, 0] = torch.inf
    return grid
