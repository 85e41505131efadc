#!/usr/bin/env bash
# NumPy: `take` of two rows of a transposed view of a mapped file copies all of the file into memory.
#
# Expected: `array.take(rows, axis=0)` and `array[rows]` read these rows, whatever the strides are; `take` is known as the
#   faster of two equal ways.
# Happens: `take` first makes a contiguous copy of an array that is not, here of 256 MiB for two rows of 12 KiB. Indexing
#   reads the rows alone. For images that are mapped channels-last and viewed channels-first that is the whole data set in
#   memory at every batch.
# Seen with Python 3.11.7, numpy 2.4.6, on Linux:
#   take, contiguous: 0 MiB
#   index, transposed: 0 MiB
#   take, transposed: 256 MiB
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet numpy==2.4.6; } || exit 2
venv/bin/python - <<'PY'
import sys
import tracemalloc

import numpy as np

np.lib.format.open_memmap("images.npy", "w+", "uint8", (2**28 // (64 * 64 * 4), 64, 64, 4)).flush()
images = np.load("images.npy", mmap_mode="r")
rows = np.array([5, 3])
calls = {
    "take, contiguous": lambda: images.take(rows, axis=0),
    "index, transposed": lambda: images.transpose(0, 3, 1, 2)[rows],
    "take, transposed": lambda: images.transpose(0, 3, 1, 2).take(rows, axis=0),
}
seen = []
for name, call in calls.items():
    tracemalloc.start()
    call()
    seen.append(tracemalloc.get_traced_memory()[1] >> 20)
    tracemalloc.stop()
    print(f"{name}: {seen[-1]} MiB")
sys.exit(seen != [0, 0, 256])
PY
