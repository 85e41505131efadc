"""The error about images of other dimensions than the maps of a family."""

from typing import final

from stnkit.errors import InputError


@final
class DimensionsError(InputError):
    """A family maps points of another number of coordinates than images have: they may have been read otherwise."""
