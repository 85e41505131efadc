"""The parameters and buffers of an objective that starts from those of another run."""

from collections.abc import Mapping
from typing import Any

from stnkit.experiments.loop.objective_needs import objective_name
from stnkit.experiments.run_directory.checkpoints import objective_weights
from stnkit.objectives import Objective


def take_state(
    objective: Objective, checkpoint: Mapping[str, Any], recorded: Mapping[str, Any], config: Mapping[str, Any]
) -> bool:
    """Give an objective the state that the same objective of another run has kept, if it has the same shapes.

    Args:
        objective: that is trained.
        checkpoint: of the other run.
        recorded: config of the other run.
        config: of this one.

    Returns:
        True if it has that state now; False if its own is new.
    """
    own, theirs = objective.state_dict(), objective_weights(checkpoint)
    if objective_name(recorded) != objective_name(config) or _shapes(own) != _shapes(theirs):
        return False
    objective.load_state_dict(theirs)
    return True


def _shapes(state: Mapping[str, Any]) -> dict[str, Any]:
    return {name: getattr(value, "shape", None) for name, value in state.items()}
