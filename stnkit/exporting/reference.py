"""Images with the outputs of the network that a file was exported from: what the file is compared with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from stnkit.errors import ExportError, InputError
from stnkit.exporting.arrays import Array, Run

# Batches of these sizes are compared: one, since graphs are specialized to it by mistake, and two others.
BATCHES = (1, 3, 5)
N_IMAGES = sum(BATCHES)
TOLERANCE, HALF_TOLERANCE = 1e-4, 1e-2
_IMAGES = "image"


@dataclass(frozen=True)
class Reference:
    """Images with the outputs that PyTorch computes for them in eager mode, in float32 unless the network is half.

    Args:
        images: (9, C, *size).
        outputs: by name, (9, …).

    Raises:
        ExportError: when an output is not finite.
    """

    images: Array
    outputs: Mapping[str, Array]

    def __post_init__(self) -> None:
        for name, value in self.outputs.items():
            if not np.isfinite(value).all():
                raise ExportError(f"expected finite outputs of the network, got NaN or infinity in {name}")

    @property
    def tolerance(self) -> float:
        """The largest difference that is accepted: of float16, whose steps are 1/1000 of a value, a larger one."""
        return HALF_TOLERANCE if self.images.dtype == np.float16 else TOLERANCE

    def save(self, path: Path) -> None:
        """Write it as .npz.

        Args:
            path: of the file.
        """
        with path.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **{_IMAGES: self.images, **self.outputs})


def read_reference(path: Path) -> Reference:
    """The reference in an .npz.

    Args:
        path: of the file.

    Raises:
        InputError: when it is no such file.
    """
    try:
        with np.load(path) as arrays:
            values = {name: arrays[name] for name in arrays.files}
        return Reference(values.pop(_IMAGES), values)
    except (OSError, ValueError, KeyError, BadZipFile, EOFError) as error:
        raise InputError(
            f"{path}: expected a reference that `stnkit export --reference` wrote, got another file"
        ) from (error)


def outputs_in_batches(run: Run, images: Array) -> dict[str, Array]:
    """The outputs of a file for all images, in batches of 1, 3 and 5.

    Args:
        run: the file, from images to outputs by name.
        images: nine of them.
    """
    ends = np.cumsum(BATCHES)
    parts = [run(np.ascontiguousarray(images[end - n : end])) for n, end in zip(BATCHES, ends, strict=True)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def largest_differences(outputs: Mapping[str, Array], reference: Reference, names: Sequence[str]) -> dict[str, float]:
    """The largest |a − b| / max(1, max |b|) of each output: absolute, or relative to values that exceed 1.

    Args:
        outputs: of the file, by name.
        reference: with the network's.
        names: of the outputs to compare.

    Returns:
        The differences by name; infinity for an output that is not finite, is missing or has another shape.

    Example:
        >>> import numpy as np
        >>> from stnkit.exporting.reference import Reference, largest_differences
        >>> reference = Reference(np.zeros((1, 1)), {"logits": np.array([[1.0, 16.0]])})
        >>> largest_differences({"logits": np.array([[1.0, 17.0]])}, reference, ["logits"])
        {'logits': 0.0625}
    """
    found = {}
    for name in names:
        expected = reference.outputs[name].astype(np.float64)
        value = outputs.get(name)
        if value is None or value.shape != expected.shape or not np.isfinite(value).all():
            found[name] = float("inf")
        else:
            apart = np.abs(value.astype(np.float64) - expected).max(initial=0)
            found[name] = float(apart / max(1.0, np.abs(expected).max(initial=0)))
    return found
