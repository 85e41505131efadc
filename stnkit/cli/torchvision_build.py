"""A torchvision of another build than torch, which Lightning cannot be imported beside, as one sentence."""

import contextlib
from collections.abc import Iterator
from importlib.metadata import version

from stnkit.errors import InputError


@contextlib.contextmanager
def torchvision_build_explained() -> Iterator[None]:
    """A context for the first import of Lightning, which imports torchvision wherever that is installed.

    Raises:
        InputError: when torchvision was compiled for another torch.

    Example:
        >>> with torchvision_build_explained():
        ...     import lightning
    """
    try:
        yield
    except RuntimeError as error:
        if "operator torchvision::" not in str(error):
            raise
        raise InputError(
            f"expected torch and torchvision of one build, got torch {version('torch')} and torchvision "
            f"{version('torchvision')}: install both from the same index, or remove torchvision"
        ) from error
