#!/usr/bin/env bash
# PyTorch: the forward-mode derivative of a custom operator is 0, without an error, also if it has an autograd rule.
#
# Expected: an operator of torch.library has no forward-mode rule (none can be registered), so torch.func.jvp and jacfwd
#   raise an error, as jacrev does for it, and as jvp does for a torch.autograd.Function without a rule.
# Happens: jvp gives a tangent of zeros and jacfwd a Jacobian of zeros; in a dual level the tangent of the result is
#   missing. torch.autograd.functional.jacobian, by the registered rule, is right.
# Seen with Python 3.11.7, torch 2.13.0+cpu, of f(x) = x² at 1, 2:
#   autograd: [[2.0, 0.0], [0.0, 4.0]]
#   jacrev: RuntimeError
#   jacfwd: [[0.0, 0.0], [0.0, 0.0]]
#   jvp: [0.0, 0.0]
#   the tangent in a dual level: None
#   jvp of an autograd.Function: NotImplementedError
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6; } || exit 2
venv/bin/python - <<'PY'
import sys

import torch
from torch.autograd import forward_ad


@torch.library.custom_op("demo::square", mutates_args=())
def square(x: torch.Tensor) -> torch.Tensor:
    return x * x


def save_input(ctx, inputs, output):
    ctx.save_for_backward(*inputs)


def differentiate(ctx, gradient):
    (x,) = ctx.saved_tensors
    return 2 * x * gradient


square.register_autograd(differentiate, setup_context=save_input)


class Square(torch.autograd.Function):
    @staticmethod
    def forward(x):
        return x * x

    setup_context = staticmethod(save_input)
    backward = staticmethod(differentiate)


def refused(function):
    try:
        function()
    except RuntimeError as error:
        return type(error).__name__
    return None


x = torch.tensor([1.0, 2.0])
direction = torch.ones(2)
reverse = torch.autograd.functional.jacobian(square, x).tolist()
forward = torch.func.jacfwd(square)(x).tolist()
tangent = torch.func.jvp(square, (x,), (direction,))[1].tolist()
with forward_ad.dual_level():
    dual = forward_ad.unpack_dual(square(forward_ad.make_dual(x, direction))).tangent
refusals = [
    refused(lambda: torch.func.jacrev(square)(x)),
    refused(lambda: torch.func.jvp(Square.apply, (x,), (direction,))),
]
print("autograd:", reverse)
print("jacrev:", refusals[0])
print("jacfwd:", forward)
print("jvp:", tangent)
print("the tangent in a dual level:", dual)
print("jvp of an autograd.Function:", refusals[1])
is_zero = (forward, tangent, dual) == ([[0.0, 0.0], [0.0, 0.0]], [0.0, 0.0], None)
sys.exit(not (is_zero and reverse == [[2.0, 0.0], [0.0, 4.0]] and refusals == ["RuntimeError", "NotImplementedError"]))
PY
