"""The packages of plugins that a run has used, in its record: which are missing, or of another version, later."""

import contextlib
import importlib.metadata
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from stnkit.errors import UnknownNameError
from stnkit.plugin_system import Source


def used_packages(used: Mapping[str, Source], versions: Mapping[str, str]) -> dict[str, Any]:
    """The values of a record: the package of each plugin by `kind.name`, and the versions with theirs.

    Args:
        used: by the run.
        versions: of stnkit and of what it is computed with.
    """
    packages = {source.distribution: source.version for source in used.values()}
    plugins = {key: source.distribution for key, source in sorted(used.items())}
    return {"plugins": plugins, "versions": {**versions, **dict(sorted(packages.items()))}}


def packages_in(record: Mapping[str, Any]) -> dict[str, str]:
    """The package of each plugin that a run has used, by `kind.name`; none for a run of an earlier version.

    Args:
        record: the content of metrics.json.
    """
    plugins = record.get("plugins")
    named = plugins.items() if isinstance(plugins, Mapping) else ()
    return {key: package for key, package in named if isinstance(package, str)}


def warn_of_other_versions(record: Mapping[str, Any], where: str) -> None:
    """Warn, in one line for each, of packages that are installed in another version than that of the run.

    Args:
        record: the content of metrics.json.
        where: the run directory, as it is given.
    """
    for package in dict.fromkeys(packages_in(record).values()):
        recorded = _version_in(record, package)
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            installed = importlib.metadata.version(package)
            if recorded is not None and installed != recorded:
                warnings.warn(f"{where}: trained with {package} {recorded}, used with {installed}", stacklevel=3)


@contextlib.contextmanager
def naming_packages(record: Mapping[str, Any]) -> Iterator[None]:
    """A context in which the error for a component that is not installed names the package that it came from.

    Args:
        record: the content of metrics.json.
    """
    try:
        yield
    except UnknownNameError as error:
        for key, package in packages_in(record).items():
            kind, _, name = key.partition(".")
            if f"there is no {kind} {name!r}" in str(error):
                came_from = " ".join(filter(None, (package, _version_in(record, package))))
                raise UnknownNameError(f"{error}; it came from {came_from}") from error
        raise


def _version_in(record: Mapping[str, Any], package: str) -> str | None:
    versions = record.get("versions")
    version = versions.get(package) if isinstance(versions, Mapping) else None
    return version if isinstance(version, str) else None
