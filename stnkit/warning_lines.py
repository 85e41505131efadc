"""Warnings as one line each, for users of the command line."""

import sys
import warnings
from typing import Any


def show_warnings_in_one_line() -> None:
    """Print warnings as one line each, without file and line number, from now on."""
    # Not `formatwarning`, which Lightning replaces when it is imported.
    warnings.showwarning = _show


def _show(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: Any = None,
    line: Any = None,
) -> None:
    sys.stderr.write(f"warning: {' '.join(str(message).split())}\n")
