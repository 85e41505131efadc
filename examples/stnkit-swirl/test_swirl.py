from stnkit.testing import parametrize_with_checks

from stnkit_swirl.sampler import Hann
from stnkit_swirl.transform import Swirl


@parametrize_with_checks([Swirl, Hann])
def test_conformance(check):
    check()
