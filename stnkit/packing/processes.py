"""Processes that decode chunks for this one: interpreters of their own, so that no thread of torch is forked.

Not a pool of `multiprocessing`: each spawned process would import the main module of the program first, and torch with
it, and a pool outlives a parent that is killed.
"""

import contextlib
import json
import queue
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator
from typing import Any

from stnkit.errors import DataError
from stnkit.packing.chunk import Outcome, Target

# The parent's own path of modules: the process finds stnkit and Pillow where this one has found them.
_PROGRAM = "import sys, json; sys.path[:] = json.loads(sys.argv[1]); from stnkit.packing.worker import main; main()"
Chunk = tuple[int, list[str]]


def outcomes_of_processes(target: Target, chunks: Iterator[Chunk], n_processes: int) -> Generator[Outcome, None, None]:
    """The outcomes of chunks, in any order. The processes end when the iterator is closed.

    Args:
        target: of the images.
        chunks: the first row and the names of each.
        n_processes: that decode at the same time.

    Raises:
        DataError: when a process cannot be started, was killed, or its decoder has crashed.
    """
    answers: queue.SimpleQueue[Outcome | BaseException | None] = queue.SimpleQueue()
    lock = threading.Lock()

    def next_chunk() -> Chunk | None:
        with lock:
            return next(chunks, None)

    processes: list[subprocess.Popen[str]] = []
    threads: list[threading.Thread] = []
    try:
        for _ in range(n_processes):
            processes.append(_start())
            threads.append(threading.Thread(target=_serve, args=(processes[-1], target, next_chunk, answers)))
            threads[-1].start()
        for _ in range(n_processes):
            while (answer := answers.get()) is not None:
                if isinstance(answer, BaseException):
                    raise answer
                yield answer
    finally:
        for process in processes:
            process.kill()
        for thread in threads:  # whose pipes have ended
            thread.join()
        for process in processes:
            with contextlib.suppress(OSError), process:
                pass


def _start() -> "subprocess.Popen[str]":
    """A process, in a session of its own: Ctrl-C reaches the parent alone, which ends it."""
    try:
        return subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="ascii",
            start_new_session=True,
        )
    except OSError as error:
        raise DataError(f"no process can be started to decode images ({error}): set dataset.workers=1") from error


def _serve(
    process: "subprocess.Popen[str]", target: Target, next_chunk: Any, answers: "queue.SimpleQueue[Any]"
) -> None:
    """Hand chunks to a process, one after the other, and pass its answers on."""
    assert process.stdin is not None
    assert process.stdout is not None
    chunk: Chunk | None = None
    try:
        print(json.dumps(target.as_json()), file=process.stdin)
        while (chunk := next_chunk()) is not None:
            print(json.dumps(chunk), file=process.stdin, flush=True)
            line = process.stdout.readline()
            if not line:
                raise EOFError
            answers.put(Outcome.of_json(json.loads(line)))
    except (OSError, EOFError, ValueError):  # the last one for a line that is cut short
        names = chunk[1] if chunk else []
        among = f"; {target.root}/{names[0]} and the {len(names) - 1} files behind it may be damaged" if names else ""
        code = process.wait()
        answers.put(DataError(f"a process that decodes images has ended with exit code {code}{among}"))
    except BaseException as error:  # never leave the main thread waiting
        answers.put(error)
    finally:
        answers.put(None)
