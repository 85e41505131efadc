"""The abstract samplers: anything that reads an image at a grid, and one with the common padding options."""

from stnkit.samplers.padded import PaddedSampler, Padding
from stnkit.samplers.sampler import Sampler

__all__ = ["PaddedSampler", "Padding", "Sampler"]
