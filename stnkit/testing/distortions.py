"""The checks of `Distortion`, for images of several shapes."""

import functools
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from stnkit.distortions import Distortion, describes
from stnkit.testing import round_trips
from stnkit.testing.arguments import require_unchanged
from stnkit.testing.assertions import CheckFailed, NotApplicable, NotBuilt, close, finite, require
from stnkit.testing.component_under_test import ComponentUnderTest
from stnkit.testing.contracts import final_methods
from stnkit.testing.inputs import devices, seed_generators
from stnkit.testing.references import Linear, blobs

# Draws of clutter and noise, which θ does not describe: their median shows the part that it describes.
REPEATS = 15
# Draws, as many as a split has images.
MANY = 3000
# In heights of a smooth spot: the difference of two samplers, or a shift by a quarter of a pixel.
ALIKE = 0.03


def construction(under_test: ComponentUnderTest) -> None:
    """The constructor works with the options, for at least one of the typical shapes, and sets `family`, `out_size`."""
    try:
        for shape, distortion in under_test.for_images():
            ndim, out_size = distortion.family.ndim, tuple(distortion.out_size)
            claim = f"images of {list(shape)}: expected a family and an out_size of {len(shape) - 1} dimensions"
            require(ndim == len(out_size) == len(shape) - 1, f"{claim}, got {ndim} and {list(out_size)}")
    except NotBuilt as reason:
        raise CheckFailed(str(reason)) from reason


def config(under_test: ComponentUnderTest) -> None:
    """Its options pass through a Hydra config unchanged: it can be selected and set on the command line."""
    round_trips.through_config(under_test)


def unchanged_arguments(under_test: ComponentUnderTest) -> None:
    """`apply` changes neither images nor θ in place: they are distorted again, and θ is what a run is compared with."""
    for shape, distortion in under_test.for_images():
        drawn = _drawn(distortion, 6, _generator(3))
        require_unchanged("apply", functools.partial(_apply, distortion), images=blobs(shape, 6), theta=drawn)


def theta(under_test: ComponentUnderTest) -> None:
    """sample(n, generator) gives θ of the family: (n, P) in float32 on the CPU, finite, also for a whole split."""
    for _, distortion in under_test.for_images():
        for n in (1, 50, MANY):
            drawn = distortion.sample(n, _generator(1))
            require(isinstance(drawn, Tensor), f"sample: expected a tensor, got {type(drawn).__name__}")
            shape, expected = tuple(drawn.shape), (n, distortion.family.n_params)
            require(shape == expected, f"{n} draws: expected shape {expected}, got {shape}")
            right = drawn.dtype == torch.float32 and drawn.device.type == "cpu"
            require(right, f"draws: expected float32 on the CPU, got {drawn.dtype} on {drawn.device}")
            finite(drawn, "draws must be finite")


def seeded_draws(under_test: ComponentUnderTest) -> None:
    """Generators of one seed draw the same θ, in another object too, and those of another seed other ones.

    A distortion whose θ are all equal draws the same for every seed.
    """
    for _, distortion, other in _two_of_each(under_test):
        first = _drawn(distortion, 50, _generator(3))
        claim = "generators of one seed must draw the same θ"
        close(_drawn(distortion, 50, _generator(3)), first, 0, claim)
        close(_drawn(other, 50, _generator(3)), first, 0, f"{claim} in another object too: draw from it")
        differs = not torch.equal(_drawn(distortion, 50, _generator(4)), first) or torch.equal(first, first.roll(1, 0))
        require(differs, "generators of two seeds must draw other θ: draw from the generator")


def seeded_images(under_test: ComponentUnderTest) -> None:
    """With generators of one seed, the same images and θ give the same distorted images, in another object too."""
    for shape, distortion, other in _two_of_each(under_test):
        images, drawn = blobs(shape, 6), _drawn(distortion, 6, _generator(3))
        first = _applied(distortion, images, drawn, _generator(4))
        claim = "generators of one seed must give the same images"
        close(_applied(distortion, images, drawn, _generator(4)), first, 0, claim)
        close(_applied(other, images, drawn, _generator(4)), first, 0, f"{claim} in another object too")


def global_random_state(under_test: ComponentUnderTest) -> None:
    """The generator is the only source of randomness: torch's global one does not move."""
    for shape, distortion in under_test.for_images():
        before = torch.get_rng_state()
        _applied(distortion, blobs(shape, 6), _drawn(distortion, 6, _generator(3)), _generator(4))
        require(torch.equal(torch.get_rng_state(), before), "torch's global generator must not be used")


def shapes(under_test: ComponentUnderTest) -> None:
    """`apply` returns (B, C, *out_size) in the dtype and on the device of the images, also for a batch of one."""
    _check_shapes(under_test, under_test.image_shapes().main)


def dimensions(under_test: ComponentUnderTest) -> None:
    """`apply` returns (B, C, *out_size) for volumes, (C, D, H, W), if it takes both them and images."""
    _check_shapes(under_test, under_test.image_shapes().others)


def values_in_range(under_test: ComponentUnderTest) -> None:
    """Images with values in [0, 1] stay in that range, up to the overshoot of a kernel at edges, 0.2 at most."""
    for shape, distortion in under_test.for_images():
        drawn = _drawn(distortion, 6, _generator(3))
        for images in (blobs(shape, 6), torch.ones(6, *shape), torch.zeros(6, *shape)):
            found = _applied(distortion, images, drawn, _generator(4))
            finite(found, "distorted images must be finite")
            low, high = float(found.min()), float(found.max())
            require(
                -0.2 <= low <= high <= 1.2, f"distorted images: expected values in [0, 1], got {low:.3g} to {high:.3g}"
            )


def theta_reproduces_the_image(under_test: ComponentUnderTest) -> None:
    """apply(images, θ) is the image read through T_θ, as far as θ describes it; of a pair, the fixed image is.

    The rest (clutter, noise) is random, so the median over several generators is compared. Images are smooth, so that
    any kernel reads them alike.
    """
    for shape, distortion in under_test.for_images():
        if distortion.between_pair:
            _check_pair(distortion, shape)
            continue
        images, drawn = blobs(shape, 6), _drawn(distortion, 6, _generator(3))
        median, spread = _described(distortion, images, drawn)
        expected = Linear()(images, distortion.family.grid(drawn, distortion.out_size))
        error = float((median - _of_theta(distortion, expected)).abs().max())
        require(error <= ALIKE + 2 * spread, f"apply must show the image as T_θ does: it is off by {error:.2g} of 1")


def batch_independence(under_test: ComponentUnderTest) -> None:
    """Image i is distorted by row i of θ as it would be alone, as far as θ describes it."""
    for shape, distortion in under_test.for_images():
        brightness = torch.tensor([1.0, 0.4, 0.7]).view(-1, *[1] * len(shape))
        images, drawn = blobs(shape, 3) * brightness, _drawn(distortion, 3, _generator(3))
        median, spread = _described(distortion, images, drawn)
        for i in range(3):
            alone, spread_alone = _described(distortion, images[i : i + 1], drawn[i : i + 1])
            error = float((median[i] - alone[0]).abs().max())
            allowed = 1e-4 + 2 * (spread + spread_alone)
            require(error <= allowed, f"an image must be distorted as it would be alone: it is off by {error:.2g} of 1")


def milder(under_test: ComponentUnderTest) -> None:
    """Its milder distortion is None, or one of images of `out_size` whose θ is one map for all channels."""
    for _, distortion in under_test.for_images():
        found = distortion.milder()
        if found is None:
            continue
        claim = "milder() must return a Distortion or None"
        require(isinstance(found, Distortion), f"{claim}, got {type(found).__name__}")
        size, own = list(distortion.out_size), list(found.out_size)
        require(own == size, f"milder(): expected images of {size}, got {own}")
        require(describes(found, len(size)), "milder(): expected one map for all channels of an image")
        finite(_drawn(found, 50, _generator(5)), "draws of milder() must be finite")


CHECKS = (
    construction,
    final_methods,
    config,
    unchanged_arguments,
    theta,
    seeded_draws,
    seeded_images,
    global_random_state,
    shapes,
    dimensions,
    values_in_range,
    theta_reproduces_the_image,
    batch_independence,
    milder,
)


def _check_shapes(under_test: ComponentUnderTest, image_shapes: Sequence[tuple[int, ...]]) -> None:
    for device in devices():
        for shape, distortion in under_test.for_images(image_shapes):
            for batch in (1, 6):
                images, drawn = blobs(shape, batch).to(device), _drawn(distortion, batch, _generator(3)).to(device)
                found = distortion.apply(images, drawn, torch.Generator(device).manual_seed(4))
                require(isinstance(found, Tensor), f"apply: expected a tensor, got {type(found).__name__}")
                expected = (batch, shape[0], *distortion.out_size)
                given = f"{batch} images of {list(shape)}"
                require(tuple(found.shape) == expected, f"{given}: expected shape {expected}, got {tuple(found.shape)}")
                same = found.dtype == images.dtype and found.device.type == device.type
                given = f"images in {images.dtype} on {device}"
                require(same, f"{given}: expected that dtype and device, got {found.dtype} on {found.device}")


def _two_of_each(under_test: ComponentUnderTest) -> Iterator[tuple[tuple[int, ...], Distortion, Distortion]]:
    """Two objects for each shape of images, made with different states of torch's global generator."""
    for shape in under_test.image_shapes().taken:
        made = []
        for seed in range(2):
            seed_generators(seed)
            made.append(next(under_test.for_images([shape]))[1])
        yield shape, made[0], made[1]


def _check_pair(distortion: Distortion, shape: tuple[int, ...]) -> None:
    """Check fixed = moving∘T_θ where that reads the moving image, away from its edges."""
    half = blobs((shape[0] // 2, *shape[1:]), 6)
    drawn = _drawn(distortion, 6, _generator(3))
    moving, fixed = _applied(distortion, torch.cat([half, half], dim=1), drawn, _generator(4)).chunk(2, dim=1)
    grid = distortion.family.grid(drawn, distortion.out_size)
    inside = (grid.abs() <= 1 - 2 / min(distortion.out_size)).all(dim=-1)
    error = float(((fixed - Linear()(moving, grid)).abs().amax(dim=1) * inside).max())
    require(error <= ALIKE, f"the fixed image must be the moving one read through T_θ: it is off by {error:.2g} of 1")


def _apply(distortion: Distortion, images: Tensor, drawn: Tensor) -> Tensor:
    return _applied(distortion, images, drawn, _generator(4))


def _drawn(distortion: Distortion, n: int, generator: torch.Generator) -> Tensor:
    drawn: object = distortion.sample(n, generator)
    if not isinstance(drawn, Tensor):
        raise NotApplicable("sample gives no tensor, of which `theta` tells")
    return drawn


def _applied(distortion: Distortion, images: Tensor, theta: Tensor, generator: torch.Generator) -> Tensor:
    applied: object = distortion.apply(images, theta, generator)
    if not isinstance(applied, Tensor):
        raise NotApplicable("apply gives no tensor, of which `shapes` tells")
    return applied


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _described(distortion: Distortion, images: Tensor, drawn: Tensor) -> tuple[Tensor, float]:
    """The median of the distorted images over generators, and the largest deviation of a pixel from it.

    Clutter, which seldom covers a pixel, changes neither the median nor the median of the distances from it.
    """
    results = torch.stack([_of_theta(distortion, result) for result in _distorted(distortion, images, drawn)])
    median = results.median(dim=0).values
    return median, float((results - median).abs().median(dim=0).values.max())


def _of_theta(distortion: Distortion, images: Tensor) -> Tensor:
    """The channels that T_θ describes: those of the fixed image of a pair, or the first one, or all."""
    if distortion.between_pair:
        return images[:, images.shape[1] // 2 :]
    return images if distortion.channels_move_together else images[:, :1]


def _distorted(distortion: Distortion, images: Tensor, drawn: Tensor) -> Iterator[Tensor]:
    """The distorted images of several generators; of one, where `apply` draws nothing from it."""
    for seed in range(REPEATS):
        generator = _generator(seed)
        before = generator.get_state()
        yield _applied(distortion, images, drawn, generator)
        # The generator is the only source of randomness: untouched, it gives the same for every seed.
        if torch.equal(generator.get_state(), before):
            return
