"""The conformance kit: the contract of every kind of component as named checks, with pytest and without.

    stnkit.testing.check("transform.swirl")                      # raises with all failures at once

    @stnkit.testing.parametrize_with_checks(["transform.swirl"])  # or one test for each check
    def test_conformance(check):
        check()

A component is a `stnkit.Component`, a class, an installed `"kind.name"`, a mapping of such a name and options,
`{"name": "transform.swirl", "radius": 0.5}`, or, for kinds that are not built for the images of a run, an object.
"""

from stnkit.renaming import tell_renamed
from stnkit.testing.assertions import CheckFailed
from stnkit.testing.check_results import CheckResults, ConformanceError, Outcome, Result, check, run
from stnkit.testing.checks import Check, checks_for
from stnkit.testing.parametrize import parametrize_with_checks

__all__ = [
    "Check",
    "CheckFailed",
    "CheckResults",
    "ConformanceError",
    "Outcome",
    "Result",
    "check",
    "checks_for",
    "parametrize_with_checks",
    "run",
]


def __getattr__(name: str) -> type[CheckResults]:
    if name != "Report":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    tell_renamed("stnkit.testing.Report is now stnkit.testing.CheckResults")
    return CheckResults
