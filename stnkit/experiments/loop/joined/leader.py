"""The first process of a joined run: it composes the config, writes all files, speaks, and ends all others."""

import contextlib
import os
import secrets
import shlex
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from stnkit.errors import InputError, StnkitError, retold
from stnkit.experiments.loop.failures import Failure, ProcessError, ProcessLostError, first_user_error, unexpected
from stnkit.experiments.loop.interruption import Interrupted, interruptions_kept, stop_main_thread
from stnkit.experiments.loop.joined.connections import JOIN_TIMEOUT, Line, free_port, listen
from stnkit.experiments.loop.joined.launched import SWITCH, Launched
from stnkit.experiments.loop.joined.member import GRACE, SETTLE, Member, ignore_stops
from stnkit.experiments.run_directory.record import RunRecord, failure, read_record, record_as_json


class Leader(Member):
    """Process 0. The others connect while it composes its config.

    Args:
        launched: this process among the others.
        command: the arguments of `stnkit train`, which all processes share.
        say: prints the sentence of a failure; with a run directory, the way on from there.

    Attributes:
        exit_code: of the command, in the end.
    """

    def __init__(self, launched: Launched, command: Sequence[str], say: Callable[[str, Path | None], None]) -> None:
        super().__init__(launched)
        self.command = list(command)
        self.exit_code = 0
        self._say = say
        self._changed = threading.Condition()
        self._lines: dict[int, Line] = {}  # of the processes that are there
        self._hellos: dict[int, dict[str, Any]] = {}
        self._ready: set[int] = set()
        self._done: set[int] = set()
        self._lost: list[int] = []
        self._failures: list[Failure] = []
        self._others = set(range(1, launched.world_size))
        self._run_dir: Path | None = None
        self._building, self._stopping, self._training = False, False, False
        self._code: int | None = None
        self._token = secrets.token_hex(16)
        self._listening, self._store = listen(launched, self._token)
        threading.Thread(target=self._accept, daemon=True).start()

    def start(self, config: dict[str, Any], run_dir: Path, values: dict[str, Any], resume_from: Path | None) -> None:
        """Give the run to all other processes, once they are there.

        Args:
            config: of the run, as plain values.
            run_dir: of the run, on a file system that all share.
            values: of its record.
            resume_from: its checkpoint, or None for a new run.

        Raises:
            InputError: when a process was started with another command.
            ProcessError: when a process is missing.
        """
        n, launcher = self.launched.world_size, self.launched.launcher
        if not self._wait_for(lambda: self._others <= set(self._hellos), JOIN_TIMEOUT):
            missing = ", ".join(map(str, sorted(self._others - set(self._hellos))))
            raise ProcessError(
                f"expected {n} processes of {launcher}, got no answer from process {missing} in {JOIN_TIMEOUT:.0f} s"
            )
        for rank, hello in sorted(self._hellos.items()):
            if hello["command"] != self.command:
                raise InputError(
                    f"expected the same command in all {n} processes of {launcher}, got "
                    f"{shlex.join(hello['command'])!r} in process {rank}: {SWITCH}=0 makes each a run of its own"
                )
        run = {
            "config": yaml.safe_dump(config),
            "run_dir": str(run_dir.resolve()),
            "values": record_as_json(values),
            "resume_from": None if resume_from is None else str(resume_from.resolve()),
        }
        self._run_dir = run_dir
        self._tell({"run": run})

    def meet(self) -> int:
        """Wait until all processes have built their components; return the port on which they train together.

        Raises:
            StnkitError: that another process met.
            Interrupted: when another process was asked to stop.
        """
        with self._changed:
            self._building = False
        self._wait_for(lambda: self._others <= self._ready)
        with self._changed:
            self._training = True
        port = free_port()
        self._tell({"port": port})
        return port

    @contextlib.contextmanager
    def answering(self) -> Iterator[None]:
        """The part of the run in which the failure of one process ends all of them.

        Until they meet, this process is stopped, which may pack images for an hour; from then on, it has an error too.

        Raises:
            ProcessLostError: when another process is gone.
            StnkitError: the first that a process raised.
        """
        try:
            try:
                with self._changed:
                    self._building = True
                    late = bool(self._lost or self._failures)
                if late:
                    threading.Thread(target=self._end_soon, daemon=True).start()
                with interruptions_kept():
                    yield
                    self._wait_for(lambda: self._others <= self._done)
            finally:
                with self._changed:
                    self._building = False
        except StnkitError:
            raise
        except BaseException as error:
            ignore_stops()
            with self._changed:
                self._changed.wait_for(lambda: bool(self._lost or first_user_error(self._failures)), SETTLE)
                cause = self._error_of_others()
            asked = isinstance(error, Interrupted) and not self._stopping
            if cause is None or (asked and not isinstance(cause, ProcessLostError)):
                raise
            raise cause from error
        finally:
            with self._changed:
                self._training = False

    def end(self, code: int) -> None:
        """Let all other processes end with the same exit code.

        Args:
            code: of this process.
        """
        ignore_stops()
        with self._changed:
            self._code = code
        self._tell({"end": code})
        with self._changed:
            self._changed.wait_for(lambda: self._others <= set(self._hellos) and not self._lines, 2 * GRACE)
        self._listening.close()

    def _wait_for(self, condition: Callable[[], bool], seconds: float | None = None) -> bool:
        """Wait for a condition, or raise the error of another process."""
        with self._changed:
            reached = self._changed.wait_for(lambda: bool(self._lost or self._failures) or condition(), seconds)
            if error := self._error_of_others():
                raise error
        return reached

    def _tell(self, message: dict[str, Any]) -> None:
        with self._changed:
            lines = list(self._lines.values())
        for line in lines:
            line.send(message)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                connected, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(Line(connected),), daemon=True).start()

    def _serve(self, line: Line) -> None:
        hello = line.receive() or {}
        rank = hello.get("rank")
        if rank not in self._others or hello.get("token") != self._token:  # no process of this run
            line.close()
            return
        with self._changed:
            self._lines[rank], self._hellos[rank] = line, hello
            self._changed.notify_all()
        if self._code is not None:
            line.send({"end": self._code})
        while (message := line.receive()) is not None:
            with self._changed:
                if "failure" in message:
                    self._failures.append(Failure(**message["failure"]))
                else:
                    (self._done if "done" in message else self._ready).add(rank)
                self._changed.notify_all()
            if "failure" in message:
                self._end_soon()
        line.close()
        with self._changed:
            del self._lines[rank]
            ended = self._code is not None or rank in self._done or rank in {f.rank for f in self._failures}
            if not ended:
                self._lost.append(rank)
            self._changed.notify_all()
        if not ended:
            self._end_soon()

    def _error_of_others(self) -> BaseException | None:
        n = self.launched.world_size
        if self._lost:
            rank, host = self._lost[0], self._hellos[self._lost[0]]["host"]
            return ProcessLostError(f"process {rank} of the {n} of this run was killed, or its machine {host} was lost")
        error = first_user_error(self._failures)
        if isinstance(error, StnkitError):
            rank = min(self._failures, key=lambda failure: failure.at).rank
            return retold(error, f"process {rank} of the {n} of this run, on {self._hellos[rank]['host']}: {error}")
        return error or (unexpected(self._failures, n) if self._failures else None)

    def _end_soon(self) -> None:
        """End the run from outside of the main thread, if that is busy or waits for a process that is gone."""
        with self._changed:
            self._changed.wait_for(lambda: not self._building, SETTLE)  # it was perhaps asked to stop as well
            if self._building and not self._stopping:
                self._stopping = True
                stop_main_thread()
            self._changed.wait_for(lambda: not self._training, GRACE + SETTLE)
            error = self._error_of_others()
            if not self._training or error is None:
                return
            assert self._run_dir is not None
        lost = isinstance(error, ProcessLostError)
        record = RunRecord(self._run_dir, read_record(self._run_dir))
        if lost or isinstance(error, Interrupted):
            record.update(status="interrupted")
        else:
            record.update(**failure(error))
        self._say(str(error), self._run_dir if lost else None)
        code = 2 if isinstance(error, StnkitError) and not lost else 1
        self._tell({"end": code})
        os._exit(code)
