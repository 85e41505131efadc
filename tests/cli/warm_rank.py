"""The imports of a process of a run, for a server that forks such processes.

Lightning reads the rank when it is imported. Here that is before the rank is known, so it is told to each process.
"""

import importlib
from importlib.metadata import entry_points

from lightning.pytorch.utilities.rank_zero import rank_zero_only

from stnkit.experiments.loop import process_launcher
from tests.process_server import PRELOADED

for entry in entry_points(group="stnkit"):
    if entry.value.startswith("stnkit_plugins."):
        importlib.import_module(entry.value)
for module in PRELOADED:
    importlib.import_module(module)

warn_once = process_launcher._warn_once


def warn_once_as(rank):
    rank_zero_only.rank = rank
    warn_once(rank)


process_launcher._warn_once = warn_once_as
