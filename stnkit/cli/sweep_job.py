"""A job of a sweep: its overrides and its config."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from stnkit.experiments.run_directory.job_identity import identity_of


@dataclasses.dataclass(frozen=True)
class SweepJob:
    """A job that is going to run.

    Args:
        overrides: of its config, `KEY=VALUE`.
        config: as plain values; None where it has values that only the running job can resolve.
    """

    overrides: Sequence[str]
    config: dict[str, Any] | None

    @property
    def identity(self) -> str | None:
        """That of its config, by which it finds its run directory again; None where that is not known yet."""
        return None if self.config is None else identity_of(self.config)
