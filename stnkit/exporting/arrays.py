"""Types of a file that runs: from images to outputs by name, as NumPy arrays."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy.typing as npt

Array = npt.NDArray[Any]
Run = Callable[[Array], Mapping[str, Array]]
