"""The compiled library: found, checked against this processor, or done without. Nothing here imports torch."""

import importlib.util
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from stnkit.errors import NativeError, one_line

NAME = "stnkit.native._kernels"
VARIABLE = "STNKIT_NATIVE"
# The calling convention of `source/module.cpp`: a library that was built from another source is not used.
INTERFACE = 7
# Processors, by the number in the header of a file.
_MACHINES = {"x86_64": 62, "aarch64": 183}


@dataclass(frozen=True)
class Status:
    """The answer to which path warps take on the CPU; as a string, one sentence.

    Args:
        used: True if the native library is used where it can be.
        reason: why it is not; empty where it is.
        required: True with `STNKIT_NATIVE=1`, where doing without it is an error.

    Example:
        >>> import stnkit
        >>> stnkit.native.Status(used=False, reason="STNKIT_NATIVE is 0")
        Status(used=False, reason='STNKIT_NATIVE is 0', required=False)
        >>> print(_)  # doctest: +SKIP
        native warp: not used, STNKIT_NATIVE is 0
    """

    used: bool
    reason: str = ""
    required: bool = False

    def __str__(self) -> str:
        return "native warp: used" if self.used else f"native warp: not used, {self.reason}"


def status() -> Status:
    """The state of the native library in this process, without an error and without torch.

    Example:
        >>> import stnkit
        >>> stnkit.native.status().used in (True, False)
        True
    """
    return _status


def load(environment: Mapping[str, str]) -> tuple[ModuleType | None, Status]:
    """The library and its status; never an error.

    Args:
        environment: with `STNKIT_NATIVE` unset or `auto`, `0` or `1`.
    """
    wish = environment.get(VARIABLE, "") or "auto"
    required = wish == "1"
    if wish == "0":
        return None, Status(False, f"{VARIABLE} is 0")
    if wish not in ("auto", "1"):
        return None, Status(False, f"{VARIABLE}: expected 0, 1 or auto, got {wish!r}", required=True)
    try:
        fault = _fault(importlib.util.find_spec(NAME))
        if fault:
            return None, Status(False, fault, required)
        found: Any = importlib.import_module(NAME)
        if found.INTERFACE != INTERFACE:
            return None, Status(False, "the library was built from another version of its source", required)
        if not found.supports_this_cpu():
            return None, Status(False, "this processor has no AVX2 and FMA", required)
    except ModuleNotFoundError:
        return None, Status(False, "the library was not built: there was no C++ compiler, or it failed", required)
    except Exception as error:  # of another processor, or its import is forbidden
        return None, Status(False, f"the library cannot be loaded: {one_line(error, 200)}", required)
    return found, Status(True, required=required)


def _fault(spec: ModuleSpec | None) -> str:
    """The reason why a file of Linux must not be loaded, which would be a crash or a misleading message; or nothing."""
    if spec is None or spec.origin is None:
        return ""
    with Path(spec.origin).open("rb") as file:
        header = file.read(64)
        if len(header) == 64 and not header.startswith(b"\x7fELF\x02\x01"):
            return ""  # another format, of which the loader tells
        start, width, count = (int.from_bytes(header[a:b], "little") for a, b in ((40, 48), (58, 60), (60, 62)))
        # The last entry of the table of sections, which is the last part of the file. Zeros were never written.
        file.seek(min(start + width * max(count - 1, 0), sys.maxsize))
        last = file.read(width)
    if len(header) < 64 or (count and (len(last) < width or not any(last))):
        return "the library is cut short"
    machine = int.from_bytes(header[18:20], "little")
    if machine != _MACHINES.get(platform.machine(), machine):
        return "the library was built for another kind of processor"
    return ""


def kernels() -> Any:
    """The library, or None where the composite path does the work.

    Raises:
        NativeError: when it is required and cannot be had, or `STNKIT_NATIVE` has another value.
    """
    if _kernels is None and _status.required:
        raise NativeError(_sentence(_status))
    return _kernels


def _sentence(state: Status) -> str:
    return state.reason if state.reason.startswith(VARIABLE) else f"{VARIABLE} is 1, but {state.reason}"


_kernels, _status = load(os.environ)
