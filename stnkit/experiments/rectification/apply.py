"""Apply: a trained run to files, into a folder of results."""

import functools
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stnkit.errors import InputError
from stnkit.experiments.rectification.aspects import n_sheared
from stnkit.experiments.rectification.inputs import Input, find_inputs
from stnkit.experiments.rectification.journal import Journal
from stnkit.experiments.rectification.names import taken_names
from stnkit.experiments.rectification.pipeline import Pipeline
from stnkit.experiments.rectification.rectifier import Rectifier, check_size
from stnkit.experiments.rectification.results import Options, Results
from stnkit.experiments.rectification.table import Row, write_tables

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Applied:
    """The state of an output folder.

    Args:
        rows: of all the images, also of files that an earlier request named.
        made: number of files that were rectified now.
        before: number of files whose results were there.
        failed: the rows of those files of the request that have no result.
        others: files of the folders of the request that are left out, as `Inputs` has them.
        n_sheared: number of images of the request of another aspect than the view of the network, which a rotation of
            their stretched view shears; 0 for transforms without an aspect.
    """

    rows: list[Row]
    made: int
    before: int
    failed: list[Row]
    others: list[Path]
    n_sheared: int


@dataclass(frozen=True)
class Request:
    """The files to rectify, and the way.

    Args:
        inputs: folders and files.
        output: folder of the results.
        options: of the results.
        command: plain values that say which run and options the results are of.
        workers: number of threads.
        overwrite: begin anew, whatever the folder has.
    """

    inputs: Sequence[Path]
    output: Path
    options: Options
    command: Mapping[str, Any]
    workers: int = 2
    overwrite: bool = False


def apply(rectifier: Rectifier, request: Request, progress: Progress = lambda done, of: None) -> Applied:
    """Rectify files and write theta.csv and theta.json, also when Ctrl-C ends it: the same request then goes on.

    Args:
        rectifier: of the run.
        request: the files, the folder and the options.
        progress: is called with the number of files that are done, and of all of them.

    Raises:
        InputError: when the request is refused; then nothing is written.
    """
    check_size(request.options.size, request.options.scale, rectifier.transformers[0].family.ndim)
    if request.workers < 1:
        raise InputError(f"workers: expected at least 1, got {request.workers}")
    found = find_inputs(request.inputs, request.output)
    inputs = found.files
    _check_kinds(rectifier, inputs)
    _check_dimensions(rectifier, request.options)
    names = functools.partial(
        taken_names,
        [each.name for each in inputs],
        n_transformers=len(rectifier.transformers),
        maps=request.options.maps,
        overlay=request.options.overlay,
    )
    names()  # refused before the folder is made
    journal = Journal(request.output, request.command, overwrite=request.overwrite)
    try:
        taken = names(journal.written)
        waiting = [each for each in inputs if not journal.has(each)]
        before, made = len(inputs) - len(waiting), 0

        def done(given: Input, rows: list[Row]) -> None:
            nonlocal made
            journal.add(given, rows)
            made += 1
            progress(before + made, len(inputs))

        progress(before, len(inputs))
        try:
            results = Results(rectifier, request.output, request.options, taken)
            Pipeline(results, done, request.workers).run(waiting)
        finally:
            rows = [row for name in sorted(journal.rows) for row in journal.rows[name]]
            write_tables(request.output, request.command, rows)
        requested = [row for each in inputs for row in journal.rows[each.name]]
        failed = [row for row in requested if row.error]
        return Applied(rows, made, before, failed, found.others, n_sheared(rectifier, requested))
    finally:
        journal.close()


def weights_of(checkpoint: Path) -> str:
    """A name for the weights of a checkpoint: another one when they are others.

    Args:
        checkpoint: the file.
    """
    with checkpoint.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _check_kinds(rectifier: Rectifier, inputs: Sequence[Input]) -> None:
    """Refuse images for a run that does not read them, before all of them become rows with one reason."""
    in_shape, values = rectifier.view.in_shape, rectifier.view.values
    picture = next((each.path for each in inputs if not each.is_array), None)
    if picture is None:
        return
    if len(in_shape) != 3 or in_shape[0] not in (1, 3):
        raise InputError(f"expected arrays (.npy) for a run on images of shape {list(in_shape)}, got {picture}")
    if values is not None and not values.are_of_bytes:
        raise InputError(
            f"expected arrays (.npy) of numbers as those of the training, {values}, got {picture}, which is read "
            "as 0 to 1"
        )


def _check_dimensions(rectifier: Rectifier, options: Options) -> None:
    """Refuse options that only images of two dimensions have, before any volume is read."""
    ndim = rectifier.transformers[0].family.ndim
    not_of_volumes = {"--overlay": options.overlay, "--size": options.size is not None and len(options.size) != ndim}
    given = next((name for name, is_given in not_of_volumes.items() if is_given), None)
    if ndim != 2 and given is not None:
        raise InputError(f"{given}: expected a run of images of two dimensions, got volumes")
