"""A config in JSON, which has no infinity and no NaN: as texts, `.inf`, `-.inf` and `.nan`, that are read back."""

import math
import re
from pathlib import Path
from typing import Any

# As YAML writes them. One object each, so that a NaN that is read twice compares equal inside lists and mappings.
NOT_FINITE = {".inf": math.inf, "-.inf": -math.inf, ".nan": math.nan}
# An option that is such a text itself has backslashes before it, one more than it is given.
_TEXT = re.compile(r"\\*(\.inf|-\.inf|\.nan)")
# Such a number in a YAML file, as an option or an item of a list.
_IN_YAML = re.compile(r"[:-] (\.inf|-\.inf|\.nan)$", re.MULTILINE)


def config_as_json(value: Any) -> Any:
    """The options of a config as values that JSON holds.

    Args:
        value: plain, of any depth.

    Example:
        >>> from stnkit.experiments.run_directory.config_in_json import config_as_json, config_from_json
        >>> config_as_json({"limit": [float("inf"), 0.5]})
        {'limit': ['.inf', 0.5]}
        >>> config_from_json(config_as_json({"limit": [float("inf"), 0.5]}))
        {'limit': [inf, 0.5]}
    """
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    if isinstance(value, str):
        return f"\\{value}" if _TEXT.fullmatch(value) else value
    if isinstance(value, dict):
        return {key: config_as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [config_as_json(item) for item in value]
    return value


def config_from_json(value: Any) -> Any:
    """The options that `config_as_json` was given.

    Args:
        value: as JSON holds it.
    """
    if isinstance(value, str) and _TEXT.fullmatch(value):
        return NOT_FINITE[value] if value in NOT_FINITE else value[1:]
    if isinstance(value, dict):
        return {key: config_from_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [config_from_json(item) for item in value]
    return value


def with_numbers_of_yaml(config: dict[str, Any], path: Path) -> dict[str, Any]:
    """A config of a version that recorded null for such numbers, with these numbers.

    Args:
        config: as it was recorded.
        path: of the YAML file beside it, which has them; there may be none.
    """
    try:
        text = path.read_text()
    except (OSError, ValueError):
        return config
    if not _IN_YAML.search(text):
        return config
    import yaml  # only such a run needs it

    try:
        filled: dict[str, Any] = _filled(config, yaml.safe_load(text))
    except yaml.YAMLError:
        return config
    return filled


def _filled(value: Any, there: Any) -> Any:
    """The value with the numbers of another one that are not finite, where it has None."""
    if value is None and isinstance(there, float) and not math.isfinite(there):
        return config_from_json(config_as_json(there))
    if isinstance(value, dict) and isinstance(there, dict):
        return {key: _filled(item, there.get(key)) for key, item in value.items()}
    if isinstance(value, list) and isinstance(there, list) and len(value) == len(there):
        return [_filled(item, other) for item, other in zip(value, there, strict=True)]
    return value
