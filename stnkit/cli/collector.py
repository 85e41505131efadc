"""Python's garbage collector while a command starts."""

import gc

_USUAL = gc.get_threshold()
# Objects that are made between two collections. The start of a training makes some 2 million that stay: looking for
# garbage among them again and again is a fifth of the time of the imports (2 cores of an EPYC, 2026-11-29).
_RARELY = (1_000_000, 20, 100)


def collect_rarely() -> None:
    """Collect garbage rarely from now on."""
    gc.set_threshold(*_RARELY)


def collect_as_usual() -> None:
    """Collect garbage as before `collect_rarely`, but never look at the modules that are imported by now."""
    if gc.get_threshold() == _RARELY:
        gc.freeze()
        gc.set_threshold(*_USUAL)
