"""A plugin that notes when the first step of a run began and how much private memory it has, and then ends the run.

It does so where `WATCHED_NOTE` names the JSON to write; `WATCHED_BEGAN` is the time at which the command was given, and
`WATCHED_STEPS` the number of steps.
"""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import stnkit


def private_bytes() -> int:
    """Bytes of this process that no other one shares."""
    sizes = (line.split() for line in Path("/proc/self/smaps_rollup").read_text().splitlines()[1:])
    kib = {name: int(size) for name, size, *_ in sizes}
    return 1024 * (kib["Private_Dirty:"] + kib["Private_Clean:"])


@stnkit.hookimpl
def stnkit_callbacks(config: dict[str, Any]) -> Iterator[Any]:
    """The callback that watches."""
    import lightning

    class Watch(lightning.Callback):
        """Notes before each step."""

        def __init__(self) -> None:
            self.found: dict[str, float] = {}

        def on_train_batch_start(self, trainer: lightning.Trainer, *args: Any) -> None:
            self.found.setdefault("seconds", time.time() - float(os.environ["WATCHED_BEGAN"]))
            self.found["private"] = max(self.found.get("private", 0), private_bytes())
            if trainer.global_step == int(os.environ["WATCHED_STEPS"]):
                Path(os.environ["WATCHED_NOTE"]).write_text(json.dumps(self.found))
                os.kill(os.getpid(), signal.SIGTERM)

    if "WATCHED_NOTE" in os.environ:
        yield Watch()
