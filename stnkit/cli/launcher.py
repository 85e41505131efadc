"""The launcher whose processes this one leads: it has started them for one run, not for a sweep."""

# torchrun or srun, or None.
name: str | None = None


def no_sweep() -> str | None:
    """The sentence that refuses a sweep, or None where there is no launcher."""
    if name is None:
        return None
    return (
        f"expected one run for the processes that {name} has started, got a sweep: a job of a sweep has processes of "
        f"its own with training.devices"
    )
