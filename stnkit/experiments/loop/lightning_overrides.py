"""Overrides of Lightning's internals, which are not its public API.

The first two remove a third of the overhead of a training step of a small network.
"""

import contextlib
from typing import Any

import lightning
from lightning.pytorch.profilers import PassThroughProfiler

# Private: no option of a Trainer switches its handlers of signals off.
from lightning.pytorch.trainer.connectors.signal_connector import _SignalConnector


class FastHooksModule(lightning.LightningModule):
    """A LightningModule that sets `_current_fx_name` without `nn.Module.__setattr__`.

    Lightning notes the name of every hook there, 45 times a step, and `nn.Module` searches parameters, buffers and
    submodules each time.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "_current_fx_name":
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)


class NoProfiler(PassThroughProfiler):
    """Profile nothing, with one shared context: Lightning creates a generator for each of its 70 actions a step."""

    _nothing = contextlib.nullcontext()

    def profile(self, action_name: str) -> contextlib.AbstractContextManager[None]:  # type: ignore[override]
        """A context that does nothing."""
        return self._nothing


def leave_signals(trainer: lightning.Trainer) -> None:
    """Let a Trainer handle no signals: its answer to SIGTERM is a broadcast in the midst of any other collective.

    Of several processes, each waits in another collective then, forever.

    Args:
        trainer: before it runs.
    """
    trainer._signal_connector = _NoSignals(trainer)


class _NoSignals(_SignalConnector):
    def register_signal_handlers(self) -> None:
        """Nothing: the handlers of stnkit stay."""
