"""Keys' cubic convolution."""

from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

import stnkit

# The coefficient of torch's own kernel, which is several times faster in two dimensions.
_TORCH_A = -0.75


class Bicubic(stnkit.samplers.PaddedSampler):
    """V(p) = Σ_i U_i Π_d k(p_d − i_d) with Keys' cubic kernel: bicubic in two dimensions, tricubic in three.

    k(d) = (a + 2)|d|³ − (a + 3)|d|² + 1 for |d| ≤ 1, a|d|³ − 5a|d|² + 8a|d| − 4a for |d| ≤ 2, and 0 beyond.
    It interpolates, its derivative is continuous, and it overshoots where the image jumps.

    Args:
        a: the slope of the kernel at d = 1: −0.75 in PyTorch and OpenCV; −0.5, Catmull-Rom, is exact for
            quadratic images. Images of two dimensions with −0.75 take torch's own kernel, which is several
            times faster than ours.
        double_backward: make the gradient differentiable again in every version of torch, at several times the
            time; the values are the same.

    Raises:
        InputError: for an unknown padding, or a fill value or an `a` that is not finite.

    Example:
        >>> import torch, stnkit
        >>> sampler = stnkit.build("sampler", "bicubic", a=-0.5)
        >>> row = torch.tensor([0.0, 1, 4, 9, 16]).view(1, 1, 1, 5)
        >>> sampler(row, torch.tensor([[[[0.2, 0.0]]]])).item()
        6.25

    Source: Keys, Cubic convolution interpolation for digital image processing, IEEE ASSP 29(6), 1981.
    """

    def __init__(self, *, a: float = _TORCH_A, double_backward: bool = False, **padding: Any) -> None:
        super().__init__(**padding)
        if not -10 <= a <= 10:
            raise stnkit.errors.InputError(f"a: expected a number between -10 and 10, such as -0.75 or -0.5, got {a}")
        self.double_backward = double_backward
        self._keys = _Keys(a, self.sample_padding)

    @property
    def a(self) -> float:
        """The slope of the kernel at d = 1."""
        return self._keys.a

    def sample(
        self, image: Float[Tensor, "B C *in_size"], grid: Float[Tensor, "B *out_size ndim"]
    ) -> Float[Tensor, "B C *out_size"]:
        if self.double_backward or self.a != _TORCH_A or image.ndim != 4 or stnkit.families.is_dual():
            return self._keys.sample(image, grid)
        return self.grid_sample(image, grid, "bicubic", margin=2)

    def interpolation(self) -> stnkit.samplers.Interpolation | None:
        if self.double_backward:
            return None
        return stnkit.samplers.Interpolation(taps=4, padding=self.padding, fill_value=self.fill_value, a=self.a)


class _Keys(stnkit.samplers.KernelSampler):
    """Keys' kernel for any `a`."""

    support = 2

    def __init__(self, a: float, padding: stnkit.samplers.Padding) -> None:
        super().__init__(padding)
        self.a = a

    def kernel(self, distance: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
        a = self.a
        # Not `abs`, whose derivative at 0 would make the second derivative of the kernel vanish there.
        t = torch.where(distance >= 0, distance, -distance)
        near = ((a + 2) * t - (a + 3)) * t * t + 1
        far = ((a * t - 5 * a) * t + 8 * a) * t - 4 * a
        return torch.where(t <= 1, near, far)


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("bicubic", Bicubic)
