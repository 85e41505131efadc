"""Options of datasets for the pictures of a page, where the data have moved since the runs."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from stnkit.errors import DataError, InputError, StnkitError, one_line
from stnkit.experiments.report.runs import Run
from stnkit.plugin_system import build


def parsed_options(given: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """The options as a mapping, those of a dataset in a dataset in a mapping of their own.

    Args:
        given: names and values as texts, such as ("source.root", "data/mnist").

    Raises:
        InputError: when a value is no YAML.
    """
    try:
        options: Any = OmegaConf.to_container(OmegaConf.from_dotlist([f"{key}={value}" for key, value in given]))
    except (YAMLError, OmegaConfBaseException, ValueError) as error:
        words = ", ".join(f"{key}={value}" for key, value in given)
        raise InputError(f"--dataset: expected values that YAML can read, got {words}: {one_line(error)}") from error
    return dict(options)


def with_options(dataset: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """The config of a dataset with other values for some options, also of a dataset in it.

    Args:
        dataset: as plain values.
        options: as `parsed_options` returns them.
    """
    changed = dict(dataset)
    for key, value in options.items():
        inner = changed.get(key)
        if isinstance(inner, Mapping) and isinstance(value, Mapping):
            changed[key] = with_options(inner, value)
        else:
            changed[key] = value
    return changed


def check_options(runs: Iterable[Run], options: Mapping[str, Any]) -> None:
    """Refuse options that no dataset of the runs takes. Data that are not there are no mistake: a note says so.

    Args:
        runs: of the page.
        options: as `parsed_options` returns them.

    Raises:
        InputError: why the dataset of the first run refuses them.
    """
    found = {
        json.dumps(each, sort_keys=True): each for run in runs if isinstance(each := run.config.get("dataset"), dict)
    }
    first: str | None = None
    for dataset in found.values() if options else ():
        reason = _refusal(dataset, options)
        if reason is None:
            return
        first = first or reason
    if first is not None:
        raise InputError(f"--dataset: {first}")


def _refusal(dataset: Mapping[str, Any], options: Mapping[str, Any]) -> str | None:
    """The reason why a dataset takes no such options; None if it does, or if the options are not the reason."""
    reason = _mistake(with_options(dataset, options))
    return None if reason is None or _mistake(dataset) is not None else reason


def _mistake(dataset: Mapping[str, Any]) -> str | None:
    try:
        build("dataset", dataset)
    except DataError:
        return None
    except StnkitError as error:
        return None if isinstance(error.__cause__, OSError) else one_line(error)
    except Exception:  # of a plugin: the page says so, and shows the other cells
        return None
    return None
