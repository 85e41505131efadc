#!/usr/bin/env bash
# PyPose: the gradient of a quaternion behind `SO3` is not the gradient, and a network that predicts one climbs.
#
# Expected: `pp.SO3(q / q.norm()).Act(point)` is a function of the tensor q as any other, so that `backward` gives its
#   partial derivatives, and a network or a parameter in front of it learns.
# Happens: the backward of `Act`, `Log` and products returns the derivative along a rotation from the left, three
#   numbers, and a 0 in the place of the fourth. Autograd takes them for those of x, y, z and w and passes them on,
#   without a warning. It is right for a `pp.Parameter` of PyPose itself, whose `add_` is a step on the group, and
#   behind `pp.so3(v).Exp()`, whose backward expects them.
# Seen with Python 3.11.7, torch 2.13.0+cpu, pypose 0.9.5:
#   the same loss: True
#   by differences: [9.262, -6.201, 3.226, -15.942]
#   by a formula:   [9.262, -6.201, 3.226, -15.942]
#   by PyPose:      [-1.675, -5.225, -0.912, -1.651]
#   behind Exp it is right: True
#   of 1000 quaternions, a step against PyPose's gradient climbs for 477
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6 packaging==26.4 &&
    venv/bin/pip install --quiet --no-deps pypose==0.9.5; } || exit 2
venv/bin/python - <<'PY'
import sys

import pypose as pp
import torch

torch.manual_seed(0)
point = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
target = torch.tensor([3.0, -1.0, 2.0], dtype=torch.float64)


def by_pypose(q):
    return (pp.SO3(q / q.norm(dim=-1, keepdim=True)).Act(point) - target).square().sum()


def by_formula(q):
    axis, w = (q / q.norm(dim=-1, keepdim=True)).split((3, 1), dim=-1)
    cross = torch.linalg.cross(axis, point.expand_as(axis))
    return (point + 2 * (w * cross + torch.linalg.cross(axis, cross)) - target).square().sum()


def by_exponential(v):
    return (pp.so3(v).Exp().Act(point) - target).square().sum()


def gradient(function, at):
    at = at.clone().requires_grad_()
    function(at).backward()
    return at.grad


def differences(function, at, step=1e-6):
    shifts = step * torch.eye(len(at), dtype=at.dtype)
    return torch.stack([(function(at + shift) - function(at - shift)).detach() / (2 * step) for shift in shifts])


q = torch.randn(4, dtype=torch.float64)
v = torch.randn(3, dtype=torch.float64)
rounded = lambda values: [round(value, 3) for value in values.tolist()]  # noqa: E731
print("the same loss:", bool(torch.isclose(by_pypose(q), by_formula(q))))
print("by differences:", rounded(differences(by_pypose, q)))
print("by a formula:  ", rounded(gradient(by_formula, q)))
print("by PyPose:     ", rounded(gradient(by_pypose, q)))
exponential_error = (gradient(by_exponential, v) - differences(by_exponential, v)).abs().max().item()
print("behind Exp it is right:", exponential_error < 1e-5)
many = torch.randn(1000, 4, dtype=torch.float64)
uphill = int(((gradient(by_pypose, many) * gradient(by_formula, many)).sum(dim=-1) < 0).sum())
print(f"of 1000 quaternions, a step against PyPose's gradient climbs for {uphill}")
right = torch.allclose(gradient(by_formula, q), differences(by_pypose, q), atol=1e-5)
sys.exit(not (right and uphill > 100 and exponential_error < 1e-5))
PY
