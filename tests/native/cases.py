"""Images and θ for the native warp, and a count of its calls."""

import pytest
import torch

import stnkit
from stnkit.native import calls, status

needs_library = pytest.mark.skipif(not status().used, reason=str(status()))


def image_of(*shape, dtype=torch.float32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)


def theta_of(family, batch, seed=1, spread=0.2):
    generator = torch.Generator().manual_seed(seed)
    return (family.identity() + spread * torch.randn(batch, family.n_params, generator=generator)).float()


def grid_of(batch, height, width, seed=2):
    generator = torch.Generator().manual_seed(seed)
    return 2.6 * torch.rand(batch, height, width, 2, generator=generator) - 1.3


def composite(work, *args):
    """The result of work without the native warp."""
    with stnkit.native.disabled():
        return work(*args)


def affine():
    return stnkit.build("transform", "affine")


def bilinear(**options):
    return stnkit.build("sampler", "bilinear", **options)


class Count:
    """Number of native forward and backward passes since it was made."""

    def __init__(self, monkeypatch):
        self.forward = self.backward = 0
        for name in ("forward", "backward"):
            monkeypatch.setattr(calls, name, self._counted(name, getattr(calls, name)))

    def _counted(self, name, work):
        def counted(*args):
            setattr(self, name, getattr(self, name) + 1)
            return work(*args)

        return counted


SAMPLERS = {
    "linear": lambda: bilinear(),
    "fill": lambda: bilinear(padding="fill", fill_value=[0.5, -1.0, 2.0]),
    "cubic": lambda: stnkit.build("sampler", "bicubic", padding="border", a=-0.5),
}


def built(name):
    return stnkit.build("transform", name)


def close(ours, theirs, tolerance=2e-4):
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        assert (a - b).abs().max() <= tolerance * (1 + b.abs().max())


def inputs(name, batch=2, size=(6, 7), channels=3):
    family = built(name)
    return (
        family,
        theta_of(family, batch, spread=0.1).requires_grad_(),
        image_of(batch, channels, *size).requires_grad_(),
    )
