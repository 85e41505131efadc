"""What every distortion has to do: the checks of `Distortion`, for images of several shapes."""

import torch
from torch import Tensor

from stnkit.distortions import Distortion
from stnkit.testing import round_trips
from stnkit.testing.assertions import CheckFailed, close, finite, require
from stnkit.testing.component_under_test import NotBuilt, Subject
from stnkit.testing.inputs import devices
from stnkit.testing.references import Linear, blobs

# Draws of what θ does not describe, whose median shows what it does.
REPEATS = 15
# In heights of a smooth spot: what samplers may differ by, and a quarter of a pixel.
ALIKE = 0.03


def construction(subject: Subject) -> None:
    """The constructor works with the options, for one of the usual shapes at least, and sets `family`, `out_size`."""
    try:
        for shape, distortion in subject.for_images():
            ndim, out_size = distortion.family.ndim, tuple(distortion.out_size)
            claim = f"family and out_size must have {len(shape) - 1} dimensions for images of {list(shape)}"
            require(ndim == len(out_size) == len(shape) - 1, f"{claim}, but have {ndim} and {list(out_size)}")
    except NotBuilt as reason:
        raise CheckFailed(str(reason)) from reason


def config(subject: Subject) -> None:
    """Its options pass through a Hydra config unchanged: it can be selected and set on the command line."""
    round_trips.through_config(subject)


def theta(subject: Subject) -> None:
    """sample(n, generator) gives θ of the family: (n, P) in float32 on the CPU, finite."""
    for _, distortion in subject.for_images():
        for n in (1, 50):
            drawn = distortion.sample(n, _generator(1))
            shape, expected = tuple(drawn.shape), (n, distortion.family.n_params)
            require(shape == expected, f"{n} draws must have shape {expected}, but have {shape}")
            right = drawn.dtype == torch.float32 and drawn.device.type == "cpu"
            require(right, f"draws must be in float32 on the CPU, but are in {drawn.dtype} on {drawn.device}")
            finite(drawn, "what is drawn must be finite")


def seeded_draws(subject: Subject) -> None:
    """Generators of one seed draw the same θ."""
    for _, distortion in subject.for_images():
        first, again = (distortion.sample(50, _generator(3)) for _ in range(2))
        close(again, first, 0, "generators of one seed must draw the same θ")


def seeded_images(subject: Subject) -> None:
    """Generators of one seed distort the same images by the same θ alike."""
    for shape, distortion in subject.for_images():
        images, drawn = blobs(shape, 6), distortion.sample(6, _generator(3))
        first, again = (distortion.apply(images, drawn, _generator(4)) for _ in range(2))
        close(again, first, 0, "generators of one seed must give the same images")


def global_random_state(subject: Subject) -> None:
    """The generator is the only source of randomness: torch's global one does not move."""
    for shape, distortion in subject.for_images():
        before = torch.get_rng_state()
        distortion.apply(blobs(shape, 6), distortion.sample(6, _generator(3)), _generator(4))
        require(torch.equal(torch.get_rng_state(), before), "torch's global generator must not be used")


def shapes(subject: Subject) -> None:
    """What `apply` gives is (B, C, *out_size) in the dtype and on the device of the images, also for a batch of one."""
    for device in devices():
        for shape, distortion in subject.for_images():
            for batch in (1, 6):
                images, drawn = blobs(shape, batch).to(device), distortion.sample(batch, _generator(3)).to(device)
                found = distortion.apply(images, drawn, torch.Generator(device).manual_seed(4))
                expected = (batch, shape[0], *distortion.out_size)
                claim = f"{batch} images of {list(shape)} must become {expected}"
                require(tuple(found.shape) == expected, f"{claim}, but become {tuple(found.shape)}")
                kept = found.dtype == images.dtype and found.device.type == device.type
                require(kept, f"images in float32 on {device} must stay so, but are in {found.dtype} on {found.device}")


def values_in_range(subject: Subject) -> None:
    """Images with values in [0, 1] keep them, but for the overshoot of a kernel at edges, 0.2 at most."""
    for shape, distortion in subject.for_images():
        drawn = distortion.sample(6, _generator(3))
        for images in (blobs(shape, 6), torch.ones(6, *shape), torch.zeros(6, *shape)):
            found = distortion.apply(images, drawn, _generator(4))
            finite(found, "distorted images must be finite")
            low, high = float(found.min()), float(found.max())
            require(-0.2 <= low <= high <= 1.2, f"values must be in [0, 1], but go from {low:.3g} to {high:.3g}")


def theta_reproduces_the_image(subject: Subject) -> None:
    """apply(images, θ) is the image read through T_θ, as far as θ describes it.

    What it does not describe (clutter, noise) is random: it is looked at the median over several generators. Images
    are smooth, so that it does not matter with which kernel they are read.
    """
    for shape, distortion in subject.for_images():
        images, drawn = blobs(shape, 6), distortion.sample(6, _generator(3))
        median, spread = _described(distortion, images, drawn)
        expected = Linear()(images, distortion.family.grid(drawn, distortion.out_size))
        error = float((median - expected[:, : median.shape[1]]).abs().max())
        require(error <= ALIKE + 2 * spread, f"apply must show the image as T_θ does, but is off by {error:.2g} of 1")


def batch_independence(subject: Subject) -> None:
    """θ number i distorts image number i, as far as θ describes it: as it would alone."""
    for shape, distortion in subject.for_images():
        brightness = torch.tensor([1.0, 0.4, 0.7, 0.5, 0.9, 0.6]).view(-1, *[1] * len(shape))
        images, drawn = blobs(shape, 6) * brightness, distortion.sample(6, _generator(3))
        median, spread = _described(distortion, images, drawn)
        for i in range(6):
            alone, spread_alone = _described(distortion, images[i : i + 1], drawn[i : i + 1])
            error = float((median[i] - alone[0]).abs().max())
            allowed = 1e-4 + 2 * (spread + spread_alone)
            require(
                error <= allowed, f"an image must be distorted as it would be alone, but is off by {error:.2g} of 1"
            )


CHECKS = (
    construction,
    config,
    theta,
    seeded_draws,
    seeded_images,
    global_random_state,
    shapes,
    values_in_range,
    theta_reproduces_the_image,
    batch_independence,
)


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _described(distortion: Distortion, images: Tensor, drawn: Tensor) -> tuple[Tensor, float]:
    """What θ describes of the distorted images, their median, and how far the rest moves a pixel at most.

    What covers a pixel seldom, as clutter does, moves neither the median nor the median of the distances from it.
    """
    results = torch.stack([distortion.apply(images, drawn, _generator(seed)) for seed in range(REPEATS)])
    if not distortion.channels_move_together:
        results = results[:, :, :1]  # θ is that of the first channel
    median = results.median(dim=0).values
    return median, float((results - median).abs().median(dim=0).values.max())
