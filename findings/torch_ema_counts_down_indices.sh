#!/usr/bin/env bash
# torch: an exponential average with `use_buffers=True` changes constant indices among the buffers.
#
# Expected: the average of equal numbers is that number. A buffer of integers that never changes, such as a table of
#   relative positions, an order of points or of tokens, is the same in the averaged network.
# Happens: integers are averaged in float32 and the fraction is cut off: 11 · 0.9999 + 11 · 0.0001 is 10.99999, and so 10.
#   After two updates a fifth or more of all indices is lower by one; each of them reads its neighbor's entry. No warning.
#   It depends on the decay: 0.99 and 0.999 do no harm, 0.9, 0.95, 0.9995 and 0.9999 do. The weights themselves are right.
#   Lightning's `EMAWeightAveraging` and `WeightAveraging` set `use_buffers=True` unless told otherwise.
# Seen with Python 3.11.7, torch 2.13.0+cpu; a constant network with an index of 1000 entries, averaged twice:
#   decay 0.9: 280 of 1000 indices are lower by 1, the first ones 3, 6, 7; weights differ by 0
#   decay 0.95: 187 of 1000 indices are lower by 1, the first ones 13, 21, 26; weights differ by 0
#   decay 0.99: 0 of 1000 indices are lower by 1; weights differ by 0
#   decay 0.999: 0 of 1000 indices are lower by 1; weights differ by 0
#   decay 0.9995: 301 of 1000 indices are lower by 1, the first ones 3, 6, 12; weights differ by 0
#   decay 0.9999: 198 of 1000 indices are lower by 1, the first ones 11, 22, 29; weights differ by 0
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6; } || exit 2
venv/bin/python -W ignore - <<'PY'
import sys

import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.table = torch.nn.Parameter(torch.arange(1000) / 8)
        self.register_buffer("index", torch.arange(1000))

    def forward(self):
        return self.table[self.index]


seen = {}
for decay in (0.9, 0.95, 0.99, 0.999, 0.9995, 0.9999):
    network = Network()
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)
    for _ in range(2):
        average.update_parameters(network)
    lower = (average.module.index == network.index - 1).nonzero().flatten().tolist()
    weights = (average.module.table - network.table).abs().max().item()
    same = (average.module.index == network.index).sum().item() + len(lower) == 1000
    seen[decay] = len(lower), weights < 1e-4 and same
    first = f", the first ones {', '.join(map(str, lower[:3]))}" if lower else ""
    print(f"decay {decay}: {len(lower)} of 1000 indices are lower by 1{first}; weights differ by {weights:g}")
harmed = {decay for decay, (lower, _) in seen.items() if lower > 100}
sys.exit(not (harmed == {0.9, 0.95, 0.9995, 0.9999} and all(right for _, right in seen.values())))
PY
