"""Records of earlier versions, read as if they were of this one."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from stnkit.experiments.run_directory.job_identity import (
    ADDED_TO_COMPONENTS,
    PADDING,
    in_proportion,
    with_added_options,
)

IDENTITY = "_identity"
# Degrees, pixels, or the logarithm of a scale: θ in float32 leaves less of a pose that no image has.
TOLERANCE = 1e-3
REASON = "the distortion moves no point of any image"
# The default of rotation and similarity in stnkit 0.1.0; now it is null, for the aspect of the images.
ASPECT = 1.0


def in_terms_of_this_version(records: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Records of runs that may be of several versions, with equal configs for equal jobs.

    Args:
        records: the contents of metrics.json files, each with its config.
    """
    known = {_padded(record) for record in records}
    options = {option for record in records for option in _options_of_components(record)}
    filled = [_with_options_of_components(without_perfect_zeros(record), known, options) for record in records]
    square = {_images(record) for record in filled if _takes_aspect_1(record)}
    return [_with_aspect_of_images(record) if _images(record) in square else record for record in filled]


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


def _padded(record: Mapping[str, Any]) -> str | None:
    """The name of the distortion of a record that has the option `padding`, else None."""
    distortion = record["config"].get("distortion")
    return str(distortion.get("name")) if isinstance(distortion, Mapping) and "padding" in distortion else None


def _options_of_components(record: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The group and name of each component with each of its options of `ADDED_TO_COMPONENTS`."""
    found = []
    for group, added in ADDED_TO_COMPONENTS.items():
        component = record["config"].get(group)
        chosen = component if isinstance(component, Mapping) else {}
        found += [(group, str(chosen.get("name")), option) for option in added if option in chosen]
    return found


def _with_options_of_components(
    record: Mapping[str, Any], padded: Collection[Any], of_components: Collection[tuple[str, str, str]]
) -> Mapping[str, Any]:
    """The record with the options in its config that its version did not have, at their defaults.

    Args:
        record: the content of metrics.json.
        padded: names of distortions that have a padding in another record. Not every distortion has that option.
        of_components: groups and names of components with an option that they have in another record. Not every one
            has it.
    """
    config = dict(record["config"])
    distortion = config.get("distortion")
    if isinstance(distortion, Mapping) and str(distortion.get("name")) in padded:
        config["distortion"] = PADDING | in_proportion(distortion)
    for group, options in ADDED_TO_COMPONENTS.items():
        component = config.get(group)
        if isinstance(component, Mapping):
            name = str(component.get("name"))
            added = {key: value for key, value in options.items() if (group, name, key) in of_components}
            config[group] = added | dict(component)
    return {**record, "config": with_added_options(config)}


def _images(record: Mapping[str, Any]) -> str:
    """The options that determine the size of the images that arrive at the input."""
    dataset, distortion = (record["config"].get(kind) for kind in ("dataset", "distortion"))
    # Other options of a dataset may be the place of its files.
    return json.dumps([dataset.get("name") if isinstance(dataset, Mapping) else dataset, distortion])


def _takes_aspect_1(record: Mapping[str, Any]) -> bool:
    """True if the transforms have taken the aspect of their images, and it is 1 everywhere."""
    taken = record.get("options_from_images")
    options = list(taken.values()) if isinstance(taken, Mapping) else []
    return bool(options) and all(isinstance(each, Mapping) and each.get("aspect") == ASPECT for each in options)


def _with_aspect_of_images(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """The record of an earlier run on square images, whose default means what null means now."""
    transform = record["config"].get("transform")
    # Records have their versions since the aspect is taken from the images.
    if "versions" in record or not isinstance(transform, Mapping) or transform.get("aspect") != ASPECT:
        return record
    return {**record, "config": {**record["config"], "transform": {**transform, "aspect": None}}}
