"""Records of earlier versions, read as if they were of this one."""

from collections.abc import Mapping
from typing import Any

IDENTITY = "_identity"
# Degrees, pixels, or the logarithm of a scale: θ in float32 leaves less of a pose that no image has.
TOLERANCE = 1e-3
REASON = "the distortion moves no point of any image"


def without_perfect_zeros(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """The record without the pose figures of images that were not distorted, which stnkit 0.1.0 recorded as 0.

    Args:
        record: the content of metrics.json.
    """
    twins = {name: value for name, value in record.items() if name.endswith(IDENTITY)}
    if "undefined" in record or not twins:
        return record
    if not all(isinstance(value, int | float) and abs(value) < TOLERANCE for value in twins.values()):
        return record
    names = {*twins, *(name.removesuffix(IDENTITY) for name in twins)}
    kept = {name: value for name, value in record.items() if name not in names and name != "pose"}
    return kept | {"undefined": dict.fromkeys(sorted(names), REASON)}
