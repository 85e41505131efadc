"""Interpolation: the words in which a sampler says what it computes."""

from typing import NamedTuple


class Interpolation(NamedTuple):
    """V(p) = Σ_i U_i Π_d k(p_d − i_d) with a piecewise linear or cubic k, and a padding.

    Args:
        taps: per axis: 2 for k(d) = max(0, 1 − |d|), 4 for Keys' cubic kernel.
        padding: zeros, border, reflection, mirror, circular or fill; of each tap by itself, but for 2 taps with border,
            reflection and mirror of the point.
        fill_value: of fill, a number or one for each channel.
        a: the slope of Keys' kernel at d = 1.

    Example:
        >>> import stnkit
        >>> stnkit.build("sampler", "bicubic", a=-0.5).interpolation()
        Interpolation(taps=4, padding=<Padding.zeros: 'zeros'>, fill_value=0.0, a=-0.5)
    """

    taps: int
    padding: str = "zeros"
    fill_value: float | list[float] = 0.0
    a: float = -0.75
