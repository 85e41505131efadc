#!/usr/bin/env bash
# torch: `torch.from_file` cannot map a file that is larger than the memory of the machine.
#
# Expected: a mapped file takes no memory until it is read, so that its size does not matter. It is documented as
#   "memory-mapped", and with shared=False the file is opened for reading only.
# Happens: the default, shared=False, maps private pages that may be written. Linux counts these against memory and swap
#   as if all of them were to be copied, and refuses with ENOMEM, although nothing is ever written. So does
#   `mmap.mmap(..., access=ACCESS_COPY)`. MAP_NORESERVE lifts it, which torch does not set; shared=True maps the file, but
#   opens it for writing, and a write to the tensor changes the file.
# Seen with Python 3.11.7, torch 2.13.0+cpu, Linux 6.18, vm.overcommit_memory=0 (the default):
#   torch.from_file: Cannot allocate memory
#   ACCESS_COPY: Cannot allocate memory
#   MAP_PRIVATE | MAP_NORESERVE: mapped
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6; } || exit 2
venv/bin/python - <<'PY'
import mmap
import re
import sys
from pathlib import Path

import torch

kilobytes = sum(int(n) for n in re.findall(r"(?:MemTotal|SwapTotal):\s+(\d+)", Path("/proc/meminfo").read_text()))
size = 2 * 1024 * kilobytes
with open("file", "wb") as file:
    file.truncate(size)  # a hole: it takes no room on the disk


def tried(name, function):
    try:
        function()
        result = "mapped"
    except (RuntimeError, OSError) as error:
        result = "Cannot allocate memory" if "Cannot allocate memory" in str(error) else str(error)
    print(f"{name}: {result}")
    return result


NORESERVE = 0x4000  # of Linux, where Python before 3.13 has no name for it
with open("file", "rb") as file:
    seen = (
        tried("torch.from_file", lambda: torch.from_file("file", shared=False, size=size, dtype=torch.uint8)),
        tried("ACCESS_COPY", lambda: mmap.mmap(file.fileno(), size, access=mmap.ACCESS_COPY)),
        tried(
            "MAP_PRIVATE | MAP_NORESERVE",
            lambda: mmap.mmap(
                file.fileno(),
                size,
                flags=mmap.MAP_PRIVATE | NORESERVE,
                prot=mmap.PROT_READ | mmap.PROT_WRITE,
            ),
        ),
    )
sys.exit(seen != ("Cannot allocate memory", "Cannot allocate memory", "mapped"))
PY
