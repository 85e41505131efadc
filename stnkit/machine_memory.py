"""The memory of this machine."""

import os


def machine_memory() -> int | None:
    """The memory of this machine in bytes; None where the system does not tell."""
    if "SC_PHYS_PAGES" in getattr(os, "sysconf_names", ()):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None
