"""The layout of gray volumes, which an array of images does not show."""

from collections.abc import Iterator
from contextlib import contextmanager

from stnkit.datasets import Dataset
from stnkit.errors import InputError
from stnkit.families.dimensions import DimensionsError
from stnkit.files.arrays import ArrayLayout


@contextmanager
def layout_named(dataset: Dataset) -> Iterator[None]:
    """Within it the refusal of images by a family of volumes names the layout of gray ones.

    An array of four axes is one of images with channels, unless its layout is given.

    Args:
        dataset: of the images.

    Raises:
        InputError: in place of such a refusal.
    """
    try:
        yield
    except DimensionsError as error:
        n_channels, *size = dataset.image_shape
        if len(size) != 2 or n_channels == 1 or not isinstance(getattr(dataset, "layout", None), ArrayLayout):
            raise
        raise InputError(f"{error}; dataset.layout={ArrayLayout.ndhw} reads an array of gray volumes") from error
