#!/usr/bin/env bash
# PyTorch: compiled with backend="eager", (-0.5) ** x is -(0.5 ** x) for a tensor x.
#
# Expected: backend="eager" runs the captured graph with the same operations as the function itself, so values are equal.
# Happens: TorchDynamo writes the graph as Python source, where the constant loses its brackets: -0.5 ** x is -(0.5 ** x)
#   by Python's precedence. Every power that is even has the wrong sign, without an error. Other backends, which trace
#   the graph once more, are right, and so is torch.pow(-0.5, x).
# Seen with Python 3.11.7, torch 2.13.0+cpu:
#   not compiled: 1.0 -0.5 0.25 -0.125
#   compiled, backend eager: -1.0 -0.5 -0.25 -0.125
#   compiled, backend aot_eager: 1.0 -0.5 0.25 -0.125
#   compiled, backend eager, torch.pow: 1.0 -0.5 0.25 -0.125
#   the graph: pow_1 = -0.5 ** l_x_;  l_x_ = None
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6; } || exit 2
venv/bin/python - <<'PY'
import sys

import torch

x = torch.tensor([0.0, 1.0, 2.0, 3.0])
line = []


def power(x):
    return (-0.5) ** x


def named(x):
    return torch.pow(-0.5, x)


def compiled(function, backend):
    torch.compiler.reset()
    return torch.compile(function, backend=backend)(x)


def show(graph, example_inputs):
    line[:] = [text.strip() for text in graph.code.splitlines() if "**" in text]
    return graph.forward


plain, eager = power(x), compiled(power, "eager")
aot, function = compiled(power, "aot_eager"), compiled(named, "eager")
print("not compiled:", *plain.tolist())
print("compiled, backend eager:", *eager.tolist())
print("compiled, backend aot_eager:", *aot.tolist())
print("compiled, backend eager, torch.pow:", *function.tolist())
compiled(power, show)
print("the graph:", *line)
same = torch.equal(plain, aot) and torch.equal(plain, function)
sys.exit(not (same and torch.equal(eager, -(0.5**x))))
PY
