#!/usr/bin/env bash
# trimesh: the iterative closest point algorithm scales, unless it is told not to, and shrinks what it aligns.
#
# Expected: `registration.icp` finds a rotation and a translation, as ICP does in Open3D, PCL and the paper.
# Happens: each step is `procrustes` with its own defaults, scale and reflection. Where points have no partner,
#   because a scan is noisy or shows more than the other one, a smaller cloud is nearer to its closest points, and
#   step by step it shrinks. The cost goes down, so nothing looks wrong. `scale=False, reflection=False` is ICP.
# Seen with Python 3.11.7, trimesh 5.2.0, scipy 1.17.1, numpy 2.4.6:
#   the same surface, default: scale 1.000, cost 0.034
#   the same surface, rigid: scale 1.000, cost 0.034
#   with noise of 0.2, default: scale 0.974, cost 0.073
#   with noise of 0.2, rigid: scale 1.000, cost 0.077
#   half as a target, default: scale 0.684, cost 0.142
#   half as a target, rigid: scale 1.000, cost 0.292
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet trimesh==5.2.0 scipy==1.17.1 numpy==2.4.6; } || exit 2
venv/bin/python - <<'PY'
import sys

import numpy as np
from trimesh import registration

generator = np.random.default_rng(0)


def scan(count):
    directions = generator.normal(size=(count, 3))
    return directions / np.linalg.norm(directions, axis=1, keepdims=True) * [3, 2, 1]


angle = 0.1
turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
whole = scan(500)
target = scan(500) @ turn.T + [0.1, 0, 0]
sources = {
    "the same surface": whole,
    "with noise of 0.2": whole + generator.normal(0, 0.2, whole.shape),
    "half as a target": whole,
}
targets = {"half as a target": target[target[:, 0] < 0.5]}
scales = {}
for name, source in sources.items():
    for arguments in ({}, {"scale": False, "reflection": False}):
        onto = targets.get(name, target)
        matrix, _, cost = registration.icp(source, onto, max_iterations=100, **arguments)
        scale = np.cbrt(np.linalg.det(matrix[:3, :3]))
        print(f"{name}, {'rigid' if arguments else 'default'}: scale {scale:.3f}, cost {cost:.3f}")
        scales[name, bool(arguments)] = scale
shrunk = all(abs(scales[name, True] - 1) < 1e-6 for name in sources) and scales["half as a target", False] < 0.95
sys.exit(not shrunk)
PY
