"""The words of `stnkit train`, put in order and checked before Hydra sees them."""

from collections.abc import Sequence
from pathlib import Path

from stnkit.cli import sweeps
from stnkit.cli.hydra_internals import parse_override, split_arguments
from stnkit.errors import InputError
from stnkit.experiments.run_directory import directories


def ordered(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The overrides and the flags, which may stand between each other; Hydra wants all overrides in one place.

    Args:
        arguments: those after the command.

    Raises:
        InputError: for a flag that Hydra does not have, or one without its value.
    """
    # Hydra refuses + for a group in the defaults list of train.yaml; both spellings are accepted here.
    return split_arguments([a[1:] if a.startswith(("+model=", "+experiment=")) else a for a in arguments])


def run_to_resume(overrides: Sequence[str], flags: Sequence[str]) -> Path | None:
    """The run directory to resume, if there is one.

    What is refused here Hydra would refuse with a traceback, or after it has created a run directory.

    Args:
        overrides: `KEY=VALUE`.
        flags: the other words.

    Raises:
        InputError: for a run that cannot be resumed by these words, or flags that exclude each other.
    """
    in_sweep = bool({"-m", "--multirun"} & set(flags))
    if in_sweep and {"-c", "--cfg", "-i", "--info"} & set(flags):
        raise InputError("--cfg and --info show the config of one run: expected no -m, and one value for each option")
    words = [word for word in overrides if word.lstrip("+").startswith("resume=")]
    if len(words) > 1:
        raise InputError(f"resume: expected one run directory, got {' and '.join(words)}")
    resumed = parse_override(words[0])[1] if words else None
    if resumed is None:
        return None
    if in_sweep:
        raise InputError(sweeps.NO_RESUME)
    if not isinstance(resumed, str | int | float) or resumed == "":
        raise InputError(f"resume: expected a run directory, got {words[0]}")
    directories.check_run_dir(Path(str(resumed)))
    return Path(str(resumed))
