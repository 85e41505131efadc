"""`python -m stnkit.exporting.runtimes NAME IMAGES OUTPUTS FILE…`: ONNX files in a runtime, in a process of its own.

A runtime that ends its process, or prints to its streams, does so here. The outputs go to an .npz, by `setting/output`
with a later file's outputs in place of an earlier one's only where they have other names. An error goes to its standard
error, in one line that starts with `error: `.
"""

import importlib
import sys
from pathlib import Path

import numpy as np

from stnkit.errors import one_line
from stnkit.exporting.arrays import Array
from stnkit.exporting.reference import outputs_in_batches

# Characters of a message.
_LONGEST = 300


def main(name: str, images: str, outputs: str, *files: str) -> int:
    """Run files on images, and return the exit code.

    Args:
        name: of the runtime.
        images: .npy with nine images.
        outputs: .npz that is written.
        files: ONNX files with one input.
    """
    given = np.load(images)
    found: dict[str, Array] = {}
    try:
        module = importlib.import_module(f"stnkit.exporting.runtimes.{name}")
        for file in files:
            for setting, run in module.load(Path(file)).items():
                for output, value in outputs_in_batches(run, given).items():
                    found.setdefault(f"{setting}/{output}", value)
    except Exception as error:
        message = one_line(error).partition(" Stack backtrace")[0]
        sys.stderr.write(f"\nerror: {message[:_LONGEST]}\n")
        return 1
    np.savez(outputs, allow_pickle=False, **found)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
