"""The experiments of `stnkit train`: data, losses, the training loop and its run directories.

The public names are imported at their first use: the submodules bring Lightning.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stnkit.experiments.trained_run import TrainedRun, load_run

__all__ = ["TrainedRun", "load_run"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'stnkit.experiments' has no attribute {name!r}")
    return getattr(importlib.import_module("stnkit.experiments.trained_run"), name)


def __dir__() -> list[str]:
    return [*__all__]
