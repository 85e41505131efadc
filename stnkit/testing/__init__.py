"""The conformance kit: what every component has to do, as named checks, with pytest and without.

    stnkit.testing.check("transform.swirl")                      # one report of all that fails

    @stnkit.testing.parametrize_with_checks(["transform.swirl"])  # or one test for each check
    def test_conformance(check):
        check()

A component is a `stnkit.Component`, a class, an installed `"kind.name"`, a mapping of such a name and options,
`{"name": "transform.swirl", "radius": 0.5}`, or, for kinds that are not built for the images of a run, an object.
"""

from stnkit.testing.assertions import CheckFailed
from stnkit.testing.check_results import ConformanceError, Outcome, Report, Result, check, run
from stnkit.testing.checks import Check, checks_for
from stnkit.testing.parametrize import parametrize_with_checks

__all__ = [
    "Check",
    "CheckFailed",
    "ConformanceError",
    "Outcome",
    "Report",
    "Result",
    "check",
    "checks_for",
    "parametrize_with_checks",
    "run",
]
