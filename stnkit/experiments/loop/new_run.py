"""The check of a run that begins in the place of another one, before that is deleted."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stnkit.experiments.loop.components import build_new_run
from stnkit.experiments.loop.trainer import quiet_lightning, quiet_trainer
from stnkit.experiments.run_directory.directories import typed_training


def check_new_run(config: Mapping[str, Any], run_dir: Path) -> None:
    """Build all of a run but its data, and leave it.

    Args:
        config: of the run, as plain values.
        run_dir: of the run.

    Raises:
        StnkitError: for a mistake in an option, or one that does not fit this machine.
    """
    training = typed_training(config["training"])
    build_new_run(config, training, run_dir)
    with quiet_lightning():
        quiet_trainer(training)
