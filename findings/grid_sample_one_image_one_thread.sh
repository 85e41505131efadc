#!/usr/bin/env bash
# PyTorch: on a CPU, `grid_sample` reads a single image with one thread, however large it is.
#
# Expected: work is shared by all threads, as in every elementwise operation: one image of 2048 × 2048 takes as long as
#   two images of half its pixels.
# Happens: the images of a batch are shared among threads, the pixels of an image are not. One large image leaves all
#   cores but one idle; the same pixels in two images use both threads.
# Seen with Python 3.11.7, torch 2.13.0+cpu, two threads, Linux (CPU time of each thread from /proc):
#   share of the busiest thread, 1 image of 2048 x 2048: 1.00
#   share of the busiest thread, 2 images of 1448 x 1448: 0.50
#   share of the busiest thread, sin() of 1 image of 2048 x 2048: 0.50
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6; } || exit 2
venv/bin/python - <<'PY'
import sys
from pathlib import Path

import torch
import torch.nn.functional as F

torch.set_num_threads(2)


def cpu_nanoseconds():
    return {task.name: int((task / "schedstat").read_text().split()[0]) for task in Path("/proc/self/task").iterdir()}


def busiest_share(call):
    """CPU time of the busiest thread over that of all threads: 1 for one thread, 0.5 for two. Load does not matter."""
    for _ in range(3):
        call()
    before = cpu_nanoseconds()
    for _ in range(30):
        call()
    used = [after - before.get(name, 0) for name, after in cpu_nanoseconds().items()]
    return max(used) / sum(used)


def sample(n, side):
    image, grid = torch.rand(n, 3, side, side), torch.rand(n, side, side, 2) * 2 - 1
    return busiest_share(lambda: F.grid_sample(image, grid, align_corners=False))


one, two = sample(1, 2048), sample(2, 1448)
image = torch.rand(1, 3, 2048, 2048)
elementwise = busiest_share(image.sin)
print(f"share of the busiest thread, 1 image of 2048 x 2048: {one:.2f}")
print(f"share of the busiest thread, 2 images of 1448 x 1448: {two:.2f}")
print(f"share of the busiest thread, sin() of 1 image of 2048 x 2048: {elementwise:.2f}")
sys.exit(not (one > 0.95 and two < 0.75 and elementwise < 0.75))
PY
