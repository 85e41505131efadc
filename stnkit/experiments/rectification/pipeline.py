"""Pipeline: threads read files and write results. θ is found in batches, that of a photograph by itself.

Threads and not processes: decoders and kernels release Python's lock, and no pixel is copied between them. A
photograph stays in one thread, whose memory is that of the one before: new memory takes as long as a warp.
"""

import concurrent.futures as futures
import functools
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from stnkit.errors import InputError, StnkitError, one_line
from stnkit.experiments.rectification import pillow_memory
from stnkit.experiments.rectification.arrays import rectify_array
from stnkit.experiments.rectification.frame import Frame
from stnkit.experiments.rectification.inputs import Input
from stnkit.experiments.rectification.pictures import Picture, read_picture
from stnkit.experiments.rectification.pillow_memory import images_in_one_piece
from stnkit.experiments.rectification.rectifier import Located
from stnkit.experiments.rectification.results import Results
from stnkit.experiments.rectification.table import Row
from stnkit.native import byte_images
from stnkit.packing.pixels import UndecodableError

# Images whose θ is found at once, and bytes of those that wait for it.
BATCH, WAITING_BYTES = 32, 2**27
# Errors of a file, a row each; everything else is an error of the program.
OF_FILE = (UndecodableError, StnkitError, OSError, MemoryError)

Done = Callable[[Input, list[Row]], None]


@dataclass(frozen=True)
class Read:
    """A file in memory.

    Args:
        given: the file.
        picture: its pixels.
        view: of them, for the localizer.
        frame: of the view.
    """

    given: Input
    picture: Picture
    view: Tensor
    frame: Frame


class Pipeline:
    """The rectification of many files, in the order in which they are ready.

    Args:
        results: makes files and rows.
        done: is called in this thread with each file and its rows.
        workers: number of threads.
    """

    def __init__(self, results: Results, done: Done, workers: int) -> None:
        self.results = results
        self.done = done
        self.workers = workers
        self._locating = threading.Lock()

    def run(self, inputs: Sequence[Input]) -> None:
        """Rectify files. What is ready is written whole when an error or Ctrl-C ends the loop.

        Args:
            inputs: images and arrays.
        """
        with single_threaded(), images_in_one_piece(2 * self.workers), self._pool() as pool:
            try:
                self._images(pool, deque(each for each in inputs if not each.is_array))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        for each in inputs:
            if each.is_array:
                self._note(each, functools.partial(rectify_array, self.results, each))

    def _pool(self) -> futures.ThreadPoolExecutor:
        return futures.ThreadPoolExecutor(self.workers, initializer=_reuse_memory)

    def _images(self, pool: futures.Executor, waiting: "deque[Input]") -> None:
        reading: dict[futures.Future[Any], Input] = {}
        writing: dict[futures.Future[Any], Input] = {}
        ready: list[Read] = []
        while waiting or reading or writing or ready:
            n_bytes = sum(read.picture.pixels.nbytes for read in ready)
            full = len(ready) >= BATCH or n_bytes >= WAITING_BYTES
            if ready and (full or not (waiting or reading)):
                for read, located in zip(ready, self._locate(ready), strict=True):
                    writing[pool.submit(self._write, read, located)] = read.given
                ready = []
            # Never more in memory than the threads need to go on.
            while waiting and len(reading) < 2 * self.workers and len(writing) <= 2 * self.workers + BATCH:
                given = waiting.popleft()
                reading[pool.submit(self._read, given)] = given
            if not (reading or writing):
                continue
            finished, _ = futures.wait(reading.keys() | writing.keys(), return_when=futures.FIRST_COMPLETED)
            for future in finished:
                if future in writing:
                    self._note(writing.pop(future), future.result)
                    continue
                given = reading.pop(future)
                try:
                    found: Read | list[Row] = future.result()
                except OF_FILE as error:
                    found = [failed(given, error)]
                if isinstance(found, Read):
                    ready.append(found)
                else:
                    self.done(given, found)

    def _note(self, given: Input, results: Callable[[], list[Row]]) -> None:
        try:
            rows = results()
        except OF_FILE as error:
            rows = [failed(given, error)]
        self.done(given, rows)

    def _read(self, given: Input) -> Read | list[Row]:
        """The file, or the rows of a large one, whose memory the next one takes."""
        picture, (view, frame) = read_picture(given.path, self.results.rectifier.view.of_picture)
        read = Read(given, picture, view, frame)
        return self._write(read, self._locate([read])[0]) if picture.is_large else read

    def _locate(self, ready: Sequence[Read]) -> list[Located]:
        with self._locating:  # the network records θ as it goes
            return self.results.rectifier.locate(torch.stack([read.view for read in ready]))

    def _write(self, read: Read, located: Located) -> list[Row]:
        def write(planes: Tensor, name: str) -> str:
            written = f"{name}{picture.ending}"
            if self.results.taken.get(written, given.name) != given.name:
                raise InputError(f"expected a name for its result, {written}, that no other file has")
            picture.write(planes, self.results.output / written)
            return written

        given, picture = read.given, read.picture
        return self.results.of_image(
            given.name, picture.planes, read.frame, located, write, alpha=picture.alpha, ink=picture.ink
        )


class single_threaded:  # noqa: N801 a context, used as torch.no_grad is
    """A context in which torch takes one thread: the files are what runs at the same time."""

    def __enter__(self) -> None:
        self._before = torch.get_num_threads()
        torch.set_num_threads(1)

    def __exit__(self, *error: object) -> None:
        torch.set_num_threads(self._before)


def _reuse_memory() -> None:
    """Decode and warp the photographs of this thread over those before."""
    pillow_memory.reuse_memory()
    byte_images.reuse_memory()


def failed(given: Input, error: BaseException) -> Row:
    """The row of a file without a result.

    Args:
        given: the file.
        error: its reason.
    """
    if isinstance(error, UndecodableError):
        return Row(given.name, error=str(error))
    if isinstance(error, MemoryError):
        return Row(given.name, error="not enough memory")
    if isinstance(error, OSError):  # what cannot be read is one of the others
        reason = " ".join((error.strerror or str(error)).split())
        return Row(given.name, error=f"the result cannot be written: {reason}")
    # The row has its name already, and so has the line that the command prints of it.
    return Row(given.name, error=one_line(error).removeprefix(f"{given.path}: "))
