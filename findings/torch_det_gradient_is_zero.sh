#!/usr/bin/env bash
# torch: where a determinant is exactly 0, its gradient is 0 too.
#
# Expected: the gradient of det(A) is its matrix of cofactors, also where A is singular: det is a polynomial, and the
#   gradient of a penalty on it leads out of a collapse. For a matrix of rank n - 1 it is not 0.
# Happens: the backward pass divides det(A) by A, with eps in place of a pivot that is 0. Where det is exactly 0 this is 0,
#   as for most singular 2×2 matrices of small whole numbers, and many of 3×3; others, whose det is rounded to 1e-16, have the right
#   gradient. gradcheck fails, and forward mode is 0 as well.
# Seen with Python 3.11.7, torch 2.13.0+cpu, numpy 2.4.6:
#   cofactors [[4.0, -2.0], [-2.0, 1.0]]
#   gradient  [[0.0, -0.0], [-0.0, 0.0]]
#   derivative along the identity: 5.0, in forward mode 0.0
#   wrong for 251 of 300 singular 2×2 matrices
#   wrong for 110 of 300 singular 3×3 matrices
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6; } || exit 2
venv/bin/python - <<'PY'
import sys

import torch


def cofactors(a):
    """Of 2×2 and 3×3 matrices, by products alone."""
    if a.shape[-1] == 2:
        return torch.stack([torch.stack([a[1, 1], -a[1, 0]]), torch.stack([-a[0, 1], a[0, 0]])])
    x, y, z = a
    return torch.stack([torch.linalg.cross(y, z), torch.linalg.cross(z, x), torch.linalg.cross(x, y)])


def gradient(a):
    a = a.clone().requires_grad_()
    return torch.autograd.grad(torch.linalg.det(a), a)[0]


a = torch.tensor([[1.0, 2], [2, 4]], dtype=torch.float64)
print(f"cofactors {cofactors(a).tolist()}")
print(f"gradient  {gradient(a).tolist()}")
forward = torch.func.jvp(torch.linalg.det, (a,), (torch.eye(2, dtype=a.dtype),))[1]
print(f"derivative along the identity: {float(cofactors(a).trace())}, in forward mode {float(forward)}")
wrong = {}
generator = torch.Generator().manual_seed(0)
for n in (2, 3):
    cases = []
    while len(cases) < 300:
        b, c = (torch.randint(-4, 5, shape, generator=generator).double() for shape in ((n, n - 1), (n - 1, n)))
        exact = cofactors(b @ c)
        if exact.abs().max() > 0.5:  # of rank n - 1
            cases.append(bool((gradient(b @ c) - exact).abs().max() > 1e-3 * exact.abs().max()))
    wrong[n] = sum(cases)
    print(f"wrong for {wrong[n]} of 300 singular {n}×{n} matrices")
gone = float(gradient(a).abs().max()) == 0 and float(forward) == 0
sys.exit(not (gone and wrong[2] > 150 and 30 < wrong[3] < 300))
PY
