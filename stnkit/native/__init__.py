"""The native warp: coordinates and sample in one pass on the CPU, compiled from the source beside this file.

Nothing here changes a result. Where the library is missing, or does not take a case, the composite path does the work.
"""

from stnkit.native.library import Status, status
from stnkit.native.passes import Passes, passes
from stnkit.native.switch import disabled

__all__ = ["Passes", "Status", "disabled", "passes", "status"]
