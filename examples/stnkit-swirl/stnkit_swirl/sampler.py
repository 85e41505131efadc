"""A sinc with a Hann window."""

import stnkit
import torch


class Hann(stnkit.samplers.KernelSampler):
    """V(p) = Σ_i U_i Π_d k(p_d − i_d) / Σ_i Π_d k(p_d − i_d) with k(d) = sinc(d) cos²(πd/4) for |d| ≤ 2."""

    support = 2
    normalized = True

    def kernel(self, distance):
        return torch.sinc(distance) * torch.cos(torch.pi / 4 * distance).square()


@stnkit.hookimpl
def stnkit_components():
    yield stnkit.Component("hann", Hann)
