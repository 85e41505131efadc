"""The proof of an exported file: it computes what the network computes."""

from pathlib import Path

from stnkit.errors import ExportError, first_line
from stnkit.exporting.formats import Contents, Format
from stnkit.exporting.reference import Reference, largest_differences, outputs_in_batches


def prove(chosen: Format, path: Path, contents: Contents, reference: Reference, tolerance: float) -> dict[str, float]:
    """The largest difference of each output of a file from the network's, and of each hidden one.

    Args:
        chosen: format of the file.
        path: of the file, in a folder that may take another file.
        contents: of the file.
        reference: images with the network's outputs.
        tolerance: the largest difference that is accepted.

    Raises:
        ExportError: when the file does not run, or one of the differences is larger.
    """
    returned = [name for name in contents.outputs if name not in contents.hidden]
    try:
        outputs = outputs_in_batches(chosen.load(path), reference.images)
        if contents.hidden and chosen.expose:
            # A copy, since what a runtime returns it does not fuse away.
            copy = path.with_name(f"exposed-{path.name}")
            chosen.expose(path, contents.hidden, copy)
            exposed = outputs_in_batches(chosen.load(copy), reference.images)
            outputs |= {name: exposed[name] for name in contents.hidden}
    except Exception as error:
        raise ExportError(f"the exported file does not run in {chosen.runtime()}: {first_line(error)}") from error
    found = largest_differences(outputs, reference, [*returned, *contents.hidden])
    worst = max(found, key=lambda name: found[name])
    if not found[worst] <= tolerance:
        raise ExportError(
            f"expected outputs of the exported file within {tolerance:g} of the network's, got {worst} with a "
            f"difference of {found[worst]:.2g} in {chosen.runtime()}; no file was written"
        )
    return found
