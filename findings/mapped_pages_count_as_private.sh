#!/usr/bin/env bash
# Linux: the pages of a file that one process maps, shared and read-only, count as its private memory.
#
# Expected: `numpy.load(mmap_mode="r")` maps the file with MAP_SHARED, so that its pages are the page cache's. The unique
#   set size of psutil, and Private_Clean + Private_Dirty of smaps_rollup, are "memory that is freed when the process
#   ends", and stay as they were while the file is read.
# Happens: a page is shared when two processes have it mapped, whatever the flags of the mapping say. With a single
#   process all pages that it has read are Private_Clean, and its USS grows by the size of the file. It falls back when a
#   second process reads the file.
# Seen with Python 3.11.7, numpy 2.4.6, psutil 7.1.3, Linux 6:
#   one process: USS grows by 256 MiB
#   with a second one: by 0 MiB
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet numpy==2.4.6 psutil==7.1.3; } || exit 2
venv/bin/python - <<'PY'
import subprocess
import sys

import numpy as np
import psutil

np.save("file.npy", np.ones(2**28, np.uint8))
READ = "import numpy as np; a = np.load('file.npy', mmap_mode='r'); a[::512].sum(); print(flush=True); input()"
before = psutil.Process().memory_full_info().uss
array = np.load("file.npy", mmap_mode="r")
array[::512].sum()
alone = (psutil.Process().memory_full_info().uss - before) >> 20
other = subprocess.Popen([sys.executable, "-c", READ], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
other.stdout.readline()
both = (psutil.Process().memory_full_info().uss - before) >> 20
other.communicate("\n")
print(f"one process: USS grows by {alone} MiB")
print(f"with a second one: by {max(0, both)} MiB")
sys.exit(not (250 <= alone <= 262 and both < 8))
PY
