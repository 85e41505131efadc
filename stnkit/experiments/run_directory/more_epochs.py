"""More epochs for a run: refused where the result would not be that of one longer run."""

import math
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from stnkit.errors import InputError
from stnkit.experiments.run_directory.record import CONFIG, RunRecord, read_record
from stnkit.experiments.run_directory.recorded_figures import primary_figure
from stnkit.files.atomic import write_atomically

KEY = "training.epochs"


def check_more_epochs(run_dir: Path, saved: Any, record: dict[str, Any], epochs: int) -> None:
    """Raise an InputError unless a run goes on with a number of epochs as if it had been planned with it.

    Args:
        run_dir: of the run, as `resume` names it.
        saved: its config.
        record: the content of its metrics.json.
        epochs: number of epochs in all.

    Raises:
        InputError: when they are not more, the schedule is planned over all epochs, or the run has stopped early.
    """
    planned = saved["training"]["epochs"]
    if epochs <= planned:
        raise InputError(f"{KEY}: expected more than the {planned} of resume={run_dir}, got {epochs}")
    if reason := reason_against_more(saved, record):
        raise InputError(
            f"{KEY}: expected {planned} as in resume={run_dir}, {reason}, got {epochs}; a run with init_from={run_dir} "
            f"starts from its weights"
        )


def reason_against_more(saved: Any, record: dict[str, Any]) -> str | None:
    """The reason why a run takes no more epochs, as a clause about it; None if it does.

    Args:
        saved: its config.
        record: the content of its metrics.json.
    """
    training, done = saved["training"], record.get("epoch", 0)
    if training["schedule"] == "one_cycle":
        return "whose training.schedule=one_cycle is planned over all epochs"
    if record.get("status") == "completed" and done < training["epochs"]:
        patience = training.get("patience")
        if patience is not None and _epochs_without_a_better_one(record) >= patience:
            return f"which stopped after {done} epochs by training.patience={patience} as a longer run would"
        return f"which a callback of a plugin stopped after {done} epochs, as it would stop a longer run"
    return None


def completed_error(run_dir: Path, saved: Any, record: dict[str, Any]) -> InputError:
    """The error of a completed run that is resumed without more epochs, with the way to train it further.

    Args:
        run_dir: of the run, as `resume` names it.
        saved: its config.
        record: the content of its metrics.json.
    """
    reason = reason_against_more(saved, record)
    way = f"{KEY}=MORE goes on with it" if reason is None else f"a run with init_from={run_dir} starts from its weights"
    told = "" if reason is None else f", {reason}"
    return InputError(f"resume={run_dir}: expected an interrupted run, got a completed one{told}; {way}")


def _epochs_without_a_better_one(record: dict[str, Any]) -> float:
    """The number of epochs since the best one, as `Patience` counts them; infinity where the record does not tell."""
    primary = primary_figure(record)
    sign = -1 if primary.higher_is_better else 1
    history = [figures.get(f"validation_{primary.name}") for figures in record.get("history", [])]
    if not history or None in history:
        return math.inf
    best, waited = math.inf, 0
    for value in history:
        best, waited = (sign * value, 0) if sign * value < best else (best, waited + 1)
    return waited


def save_more_epochs(run_dir: Path, epochs: int) -> None:
    """Write a new number of epochs into the config of a run, and record that it is not completed any more.

    Args:
        run_dir: of the run.
        epochs: number of epochs in all, checked.
    """
    saved = OmegaConf.load(run_dir / CONFIG)
    if OmegaConf.select(saved, KEY) == epochs:
        return
    # The record first: a run that dies between the two is resumed to its former end.
    RunRecord(run_dir, read_record(run_dir)).update(status="interrupted")
    OmegaConf.update(saved, KEY, epochs)
    write_atomically(run_dir / CONFIG, OmegaConf.to_yaml(saved))
