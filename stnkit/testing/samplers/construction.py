"""Checks of a sampler's constructor."""

from stnkit.testing import round_trips
from stnkit.testing.assertions import CheckFailed, NotBuilt
from stnkit.testing.component_under_test import ComponentUnderTest
from stnkit.testing.samplers.inputs import dimensions_read


def construction(under_test: ComponentUnderTest) -> None:
    """The constructor works with the options, and the sampler reads images, volumes or both."""
    try:
        dimensions_read(under_test)
    except NotBuilt as reason:
        raise CheckFailed(str(reason)) from reason


def config(under_test: ComponentUnderTest) -> None:
    """Its options pass through a Hydra config unchanged: it can be selected and set on the command line."""
    round_trips.through_config(under_test)
