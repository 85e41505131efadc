"""The abstract samplers: anything that reads an image at a grid, with the common padding, or by a kernel."""

from stnkit.native.interpolation import Interpolation
from stnkit.samplers.footprint import footprint
from stnkit.samplers.kernel import KernelSampler
from stnkit.samplers.padded import PaddedSampler
from stnkit.samplers.padding import Padding, source_index
from stnkit.samplers.sampler import Sampler

__all__ = ["Interpolation", "KernelSampler", "PaddedSampler", "Padding", "Sampler", "footprint", "source_index"]
