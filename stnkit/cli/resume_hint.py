"""The command that continues a run, as the sentence about its early end says it."""

from pathlib import Path

from stnkit.cli.quoting import quoted_override


def resume_hint(run_dir: Path) -> str:
    """The command that continues a run, or starts it again.

    Args:
        run_dir: of the run, which has ended early.
    """
    from stnkit.experiments.run_directory.checkpoints import last_checkpoint  # brings PyTorch, which takes a second

    if last_checkpoint(run_dir).is_file():
        return f"`stnkit train {quoted_override('resume', run_dir)}` continues it"
    same = quoted_override("hydra.run.dir", run_dir)
    return f"it has no checkpoint yet, and the same command with {same} skip_completed=true starts it again"
