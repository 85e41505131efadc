"""An exported ONNX file in the runtimes that are installed, compared with the network's own outputs."""

import importlib.util
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from stnkit.errors import InputError, NotInstalledError
from stnkit.exporting.onnx_file import OnnxFile
from stnkit.exporting.reference import Reference, largest_differences
from stnkit.exporting.runtimes import RUNTIMES

# Seconds for one runtime to load a file and to run nine images.
_LIMIT = 600
# The moment and the line of a source file that some runtimes print first.
_STAMP = re.compile(r"^(\[[\d:]+\] )?(:\d+: )?")
_TELLING = re.compile(r"not support|unsupported|fail|error", re.IGNORECASE)


@dataclass(frozen=True)
class Found:
    """A runtime's answer.

    Args:
        runtime: its name.
        version: of its distribution.
        setting: other than float32, such as "default": it is told, and decides about nothing.
        differences: the largest of each output; empty where the runtime refuses the file.
        refusal: its message, or "".
    """

    runtime: str
    version: str
    setting: str
    differences: dict[str, float]
    refusal: str

    def agrees(self, tolerance: float) -> bool:
        """True if the runtime runs the file and all outputs are within a tolerance.

        Args:
            tolerance: the largest difference that is accepted.
        """
        return not self.refusal and all(value <= tolerance for value in self.differences.values())


def installed_runtimes() -> list[str]:
    """The names of the runtimes whose libraries are installed."""
    return [name for name, runtime in RUNTIMES.items() if _is_installed(runtime.imported)]


def check_runtimes(names: Sequence[str]) -> None:
    """Raise unless all runtimes are known and installed.

    Args:
        names: of runtimes.

    Raises:
        InputError: when there is none of that name.
        NotInstalledError: when its library is not installed; names the distribution.
    """
    for name in names:
        if name not in RUNTIMES:
            raise InputError(f"expected runtimes of {', '.join(RUNTIMES)}, got {name!r}")
        if not _is_installed(RUNTIMES[name].imported):
            raise NotInstalledError(f"the runtime {name} is not installed: pip install {RUNTIMES[name].package}")


def check(file: OnnxFile, reference: Reference, runtimes: Sequence[str]) -> list[Found]:
    """Run a file on the images of a reference in each runtime, each in a process of its own.

    The file is run as it is, and a copy of it that returns the warped images too: logits hardly show a warp that is
    slightly wrong. θ is no output of that copy, since a runtime that must return a value may not fuse it away.

    Args:
        file: that stnkit has exported.
        reference: images with the network's outputs.
        runtimes: names of installed ones.

    Returns:
        An entry for each runtime and setting, in their order.
    """
    found = []
    with tempfile.TemporaryDirectory() as folder:
        files = [file.path]
        if hidden := file.hidden_warped:
            files.append(Path(folder, "exposed.onnx"))
            file.expose(hidden, files[-1])
        images = Path(folder, "images.npy")
        np.save(images, reference.images)
        for name in runtimes:
            found += _in_runtime(name, images, files, reference, [*file.outputs, *hidden])
    return found


def _in_runtime(name: str, images: Path, files: list[Path], reference: Reference, outputs: list[str]) -> list[Found]:
    installed = version(RUNTIMES[name].package)
    written = images.with_name(f"{name}.npz")
    refusal = _run([name, str(images), str(written), *map(str, files)])
    if refusal:
        return [Found(name, installed, "", {}, refusal)]
    with np.load(written) as arrays:
        values = {key: arrays[key] for key in arrays.files}
    found = []
    for setting in dict.fromkeys(key.rpartition("/")[0] for key in values):
        of_setting = {key.rpartition("/")[2]: value for key, value in values.items() if key.startswith(f"{setting}/")}
        found.append(Found(name, installed, setting, largest_differences(of_setting, reference, outputs), ""))
    return found


def _run(arguments: list[str]) -> str:
    """The reason for which a runtime did not run, or ""."""
    command = [sys.executable, "-P", "-m", "stnkit.exporting.runtimes", *arguments]
    try:
        result = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_LIMIT, check=False)
    except subprocess.TimeoutExpired:
        return f"it did not end within {_LIMIT} s"
    if result.returncode == 0:
        return ""
    printed = [line.strip() for line in (*result.stdout.splitlines(), *result.stderr.splitlines()) if line.strip()]
    errors = [line.removeprefix("error: ") for line in printed if line.startswith("error: ")]
    telling = [_STAMP.sub("", line) for line in printed if _TELLING.search(line) and not line.startswith("error: ")]
    if result.returncode < 0:
        return f"its process was ended by {signal.Signals(-result.returncode).name}"
    # Some runtimes print the reason and raise another sentence.
    return ": ".join([*errors[-1:], *telling[:1]]) or f"its process ended with exit code {result.returncode}"


def _is_installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None
