"""The check that a sampler leaves image and grid as they are."""

from stnkit.samplers.sampler import Sampler
from stnkit.testing.arguments import require_unchanged
from stnkit.testing.component_under_test import ComponentUnderTest
from stnkit.testing.inputs import SIZE
from stnkit.testing.samplers.inputs import dimensions_read, grid_of, image_of


def unchanged_arguments(under_test: ComponentUnderTest) -> None:
    """Image and grid are not changed in place: a transformer and its caller use them again."""
    sampler: Sampler = under_test.built()
    for ndim in dimensions_read(under_test):
        require_unchanged("the call", sampler, image=image_of(SIZE[ndim]), grid=grid_of(SIZE[ndim]))
