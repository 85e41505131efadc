"""Another process of a joined run: it takes its shard of the work, writes nothing, and ends with the first."""

import contextlib
import os
import queue
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from stnkit.errors import InputError
from stnkit.experiments.loop.failures import Failure
from stnkit.experiments.loop.interruption import interruptible, stop_main_thread
from stnkit.experiments.loop.joined.connections import connect
from stnkit.experiments.loop.joined.launched import Launched
from stnkit.experiments.loop.joined.member import GRACE, SETTLE, Member, ignore_stops
from stnkit.experiments.run_directory.lock import is_locked
from stnkit.experiments.run_directory.record import RunRecord, read_record, record_from_json

# Seconds for a file that process 0 has written to be seen here.
_SHARED = 10.0


class _EndedError(Exception):
    """The first process has ended the run before this one began to train."""


class Follower(Member):
    """A process other than the first.

    Args:
        launched: this process among the others.
        command: the arguments of `stnkit train`, which all processes share.
        say: prints the sentence of a failure; with a run directory, the way on from there.

    Raises:
        ProcessError: when the first process does not answer.
    """

    def __init__(self, launched: Launched, command: Sequence[str], say: Callable[[str, Path | None], None]) -> None:
        super().__init__(launched)
        self._say = say
        self._inbox: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._ended, self._returned = threading.Event(), threading.Event()
        self._code = 1
        self._reported = False
        self._run_dir: Path | None = None
        self._line, token = connect(launched)
        host = socket.gethostname()
        self._line.send({"rank": launched.rank, "token": token, "host": host, "command": list(command)})
        threading.Thread(target=self._listen, daemon=True).start()

    def follow(self, train: Callable[..., None]) -> int:
        """Take part in the run of the first process, if it runs one, and return its exit code.

        Args:
            train: trains as one of several processes: `stnkit.experiments.loop.run.train_with`.
        """
        warnings.simplefilter("ignore")  # the first process shows them
        try:
            with interruptible():
                try:
                    self._take_part(train)
                finally:
                    ignore_stops()  # before the handlers of the system are back, which end a process
        except _EndedError:
            pass
        except BaseException as error:
            self._report(error)
        self._ended.wait()
        self._returned.set()
        self._line.close()  # the end of a Python process takes seconds
        return self._code

    def meet(self) -> int:
        """Tell the first process that the components are built; return the port on which all train together."""
        self._line.send({"ready": True})
        port: int = self._next()["port"]
        return port

    @contextlib.contextmanager
    def reporting(self) -> Iterator[None]:
        """The part of the run whose errors the first process hears of before others see that this one ends."""
        try:
            yield
        except _EndedError:
            raise
        except BaseException as error:
            self._report(error)
            raise

    def _report(self, error: BaseException) -> None:
        if not self._reported:
            self._reported = True
            self._line.send({"failure": asdict(Failure.of(self.launched.rank, error))})

    def _take_part(self, train: Callable[..., None]) -> None:
        run = self._next()["run"]
        self._run_dir = Path(run["run_dir"])
        values = record_from_json(run["values"], self._run_dir)
        self._check_shared(values)
        resume_from = None if run["resume_from"] is None else Path(run["resume_from"])
        train(self, yaml.safe_load(run["config"]), self._run_dir, values, resume_from)
        self._line.send({"done": True})

    def _check_shared(self, values: dict[str, Any]) -> None:
        """Find the record that the first process has written: a folder of that name is not enough."""
        assert self._run_dir is not None
        deadline = time.monotonic() + _SHARED
        while (read_record(self._run_dir) or {}).get("began") != values["began"]:
            if time.monotonic() > deadline:
                raise InputError(
                    f"hydra.run.dir: expected a directory that all nodes share, got {self._run_dir}, whose files by "
                    f"process 0 are not seen here"
                )
            time.sleep(0.1)

    def _next(self) -> dict[str, Any]:
        message = self._inbox.get()
        if message is None:
            raise _EndedError
        return message

    def _listen(self) -> None:
        while (message := self._line.receive()) is not None and "end" not in message:
            self._inbox.put(message)
        if message is None:
            self._speak_for_the_first()
        else:
            self._code = message["end"]
        self._inbox.put(None)
        self._ended.set()
        # The main thread may pack images, which it stops and removes, or wait for a process that is gone.
        if not self._returned.wait(SETTLE) and self._run_dir is not None:
            stop_main_thread()
        if not self._returned.wait(GRACE):
            os._exit(self._code)

    def _speak_for_the_first(self) -> None:
        """Say, once on each node, that process 0 is gone."""
        if self.launched.local_rank != (self.launched.node_rank == 0):
            return
        if self._run_dir is not None and not is_locked(self._run_dir):
            record = RunRecord(self._run_dir, read_record(self._run_dir))
            if record.values.get("status") == "running":
                record.update(status="interrupted")
        self._say(
            f"process 0 of the {self.launched.world_size} of this run was killed, or its machine "
            f"{self.launched.address} was lost",
            self._run_dir,
        )
