"""Mean and standard deviation over runs, and their text."""

import math
from dataclasses import dataclass

from stnkit.experiments.report.quantities import NOISE


@dataclass(frozen=True)
class Statistic:
    """Mean and sample standard deviation (None for a single run) of n runs."""

    mean: float
    std: float | None
    n: int


def number(statistic: Statistic, resolution: float = NOISE, digits: int = 2) -> str:
    """Mean ± standard deviation, with the decimals of `decimals(mean)`.

    Args:
        statistic: of runs.
        resolution: a smaller mean or deviation is printed as 0.
        digits: decimals of a mean that is not small.
    """
    mean, std = (
        0.0 if value is None or abs(value) < resolution else value for value in (statistic.mean, statistic.std)
    )
    # Near 0 the deviation has more to say than the mean.
    digits = decimals(mean or std, digits)
    text = f"{mean:.{digits}f}"
    return text if statistic.std is None else f"{text} ± {std:.{digits}f}"


def decimals(value: float, least: int = 2) -> int:
    """The number of decimals to print: `least`, 0 for large whole numbers, more for small values.

    Args:
        value: to print.
        least: decimals of a value that is not small.

    Example:
        >>> decimals(0.9877), decimals(0.0123), decimals(5000.0), decimals(0.9877, least=4)
        (2, 3, 0, 4)
    """
    if value == round(value) and abs(value) >= 1000:
        return 0
    small = -math.floor(math.log10(abs(value))) - 1 if value and math.isfinite(value) else 0
    return max(least, min(8, 2 + small))


def signed(difference: float) -> str:
    """A difference with its sign, such as +0.34 and −0.10; 0.00 has none.

    Args:
        difference: of two numbers.
    """
    text = f"{difference:+.2f}".replace("-", "−")
    return text[1:] if float(text[1:]) == 0 else text
