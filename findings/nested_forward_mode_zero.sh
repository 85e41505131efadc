#!/usr/bin/env bash
# PyTorch: a second derivative by nested forward mode is 0, without an error, through a torch.autograd.Function.
#
# Expected: a Function with a `jvp` in torch operations is differentiated twice by jvp of jvp, as it is by jvp of grad.
# Happens: the outer level takes the tangent of the inner one for constant, and gives 0. Every other combination of modes
#   is right: jvp of grad, grad of jvp, autograd of jvp, grad of grad.
# Seen with Python 3.11.7, torch 2.13.0+cpu, of f(x) = x³ at 2, whose second derivative is 12:
#   jvp of jvp: 0.0
#   jvp of grad: 12.0
#   grad of jvp: 12.0
#   grad of grad: 12.0
#   jvp of jvp without a Function: 12.0
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6; } || exit 2
venv/bin/python - <<'PY'
import sys

import torch
from torch.func import grad, jvp


class Cube(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        return x**3

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def jvp(ctx, tangent):
        (x,) = ctx.saved_tensors
        return 3 * x * x * tangent

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return 3 * x * x * gradient


x, one = torch.tensor(2.0), torch.tensor(1.0)


def forward(f):
    return lambda x: jvp(f, (x,), (one,))[1]


found = {
    "jvp of jvp": forward(forward(Cube.apply))(x),
    "jvp of grad": forward(grad(Cube.apply))(x),
    "grad of jvp": grad(forward(Cube.apply))(x),
    "grad of grad": grad(grad(Cube.apply))(x),
    "jvp of jvp without a Function": forward(forward(lambda x: x**3))(x),
}
for name, value in found.items():
    print(f"{name}: {value.item()}")
sys.exit(0 if [value.item() for value in found.values()] == [0, 12, 12, 12, 12] else 1)
PY
