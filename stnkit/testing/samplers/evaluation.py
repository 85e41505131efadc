"""Checks of the values that a sampler reads: shapes, identity, constants, batches and channels."""

import torch

from stnkit import coordinates
from stnkit.samplers.sampler import Sampler
from stnkit.testing.assertions import FLOAT64, NotApplicable, close, finite, require
from stnkit.testing.component_under_test import ComponentUnderTest
from stnkit.testing.inputs import SIZE
from stnkit.testing.samplers.inputs import dimensions_read, grid_of, image_of, volumes_beside_images

# Far enough from the edges that no padding is seen: a spline's coefficients depend on all pixels, on far ones less.
WIDE = {2: (62, 65), 3: (41, 42, 43)}


def shapes(under_test: ComponentUnderTest) -> None:
    """An image (B, C, *in_size) and a grid (B, *out_size, ndim) of any two sizes give (B, C, *out_size)."""
    _check_shapes(under_test, dimensions_read(under_test)[0])


def dimensions(under_test: ComponentUnderTest) -> None:
    """A volume and a grid of any two sizes give (B, C, *out_size), if it reads both volumes and images."""
    _check_shapes(under_test, volumes_beside_images(under_test))


def _check_shapes(under_test: ComponentUnderTest, ndim: int) -> None:
    sampler: Sampler = under_test.built()
    sizes: list[tuple[int, ...]] = [(3, 4, 5), (1, 1, 4), (1, 1, 1)] if ndim == 3 else [(5, 8), (1, 6), (6, 1), (1, 1)]
    for in_size in sizes:
        for out_size in sizes:
            found = sampler(image_of(in_size), grid_of(out_size))
            shape, expected = tuple(found.shape), (2, 3, *out_size)
            require(shape == expected, f"a grid of {list(out_size)}: expected shape {expected}, got {shape}")
            finite(found, f"the values read from an image of {list(in_size)} must be finite")


def empty_batch(under_test: ComponentUnderTest) -> None:
    """A batch of no images gives a batch of no images."""
    sampler: Sampler = under_test.built()
    for ndim in dimensions_read(under_test):
        size = SIZE[ndim]
        shape, expected = tuple(sampler(image_of(size)[:0], grid_of(size)[:0]).shape), (0, 3, *size)
        require(shape == expected, f"an empty batch: expected shape {expected}, got {shape}")


def identity(under_test: ComponentUnderTest) -> None:
    """A linear ramp read at its pixel centers is itself: nothing is shifted, scaled or rotated.

    A sampler may smooth, and so it need not reproduce every image, but a symmetric kernel reproduces a ramp. It is
    read away from the edges, where padding has no influence.
    """
    sampler: Sampler = under_test.built()
    for ndim in dimensions_read(under_test):
        lattice = coordinates.lattice(WIDE[ndim], dtype=torch.float64)
        # Off-center, since a wrong extent of the image leaves the center where it is.
        slopes = torch.tensor([0.1, -0.15, 0.12], dtype=torch.float64)[:ndim]
        pixels = coordinates.to_pixels(lattice, WIDE[ndim])
        inside = tuple(slice(n // 3, n // 3 + 4 + d) for d, n in enumerate(WIDE[ndim]))
        image = ((pixels - pixels[inside].flatten(0, -2).mean(dim=0)) * slopes).sum(dim=-1)
        found = sampler(image.expand(2, 3, *WIDE[ndim]), lattice[inside].expand(2, *[-1] * (ndim + 1)))
        claim = "a linear ramp must be read at its pixel centers as it is, to a hundredth of a pixel"
        close(found, image[inside].expand_as(found), 1e-3, claim)


def constants(under_test: ComponentUnderTest) -> None:
    """A constant image is read as that constant everywhere inside: the weights of the pixels sum to one."""
    sampler: Sampler = under_test.built()
    for ndim in dimensions_read(under_test):
        image = torch.full((2, 3, *WIDE[ndim]), 3.25, dtype=torch.float64)
        found = sampler(image, 0.1 * grid_of(SIZE[ndim], reach=1.0))
        close(found, torch.full_like(found, 3.25), FLOAT64 * 100, "a constant image must be read as that constant")


def batch_independence(under_test: ComponentUnderTest) -> None:
    """Element i of a batch is what the same image and grid give alone."""
    sampler: Sampler = under_test.built()
    for ndim in dimensions_read(under_test):
        image, grid = image_of(SIZE[ndim]), grid_of(SIZE[ndim])
        alone = torch.cat([sampler(image[i : i + 1], grid[i : i + 1]) for i in range(len(image))])
        close(sampler(image, grid), alone, FLOAT64, "each image must be read as if it were alone")


def channel_independence(under_test: ComponentUnderTest) -> None:
    """A channel is what it is without the others."""
    sampler: Sampler = under_test.built()
    if isinstance(getattr(sampler, "fill_value", 0.0), list | tuple):
        raise NotApplicable("its fill values are for a fixed number of channels")
    for ndim in dimensions_read(under_test):
        image, grid = image_of(SIZE[ndim]), grid_of(SIZE[ndim])
        alone = torch.cat([sampler(image[:, c : c + 1], grid) for c in range(image.shape[1])], dim=1)
        close(sampler(image, grid), alone, FLOAT64, "each channel must be read as if it were alone")
