"""The number of outputs that an objective asks for, by a hook that a stranger may have written."""

from typing import Any

from stnkit.datasets import Dataset
from stnkit.errors import PluginError, StnkitError, one_line
from stnkit.objectives import Objective


def outputs_of(objective: Objective, dataset: Dataset) -> Any:
    """`n_outputs` of an objective for a dataset, unchecked.

    Args:
        objective: not prepared yet.
        dataset: perhaps with targets that the objective does not take.

    Raises:
        StnkitError: as the objective does.
        PluginError: when it raises another error; names the hook and the targets.
    """
    try:
        return objective.n_outputs(dataset)
    except StnkitError:
        raise
    except Exception as error:
        shape = dataset.target_shape
        targets = "" if shape is None else f" for targets of shape {shape}"
        raise PluginError(
            f"{type(objective).__name__}.n_outputs: expected a number or an InputError{targets}, got {one_line(error)}"
        ) from error
