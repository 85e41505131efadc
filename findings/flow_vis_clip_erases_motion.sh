#!/usr/bin/env bash
# flow_vis: `clip_flow` erases all motion to the left and upwards.
#
# Expected: `flow_to_color(flow, clip_flow=10)` limits the components, or the lengths, to 10 pixels in either direction, so
#   that pictures of several flows have one scale and an outlier does not fade the rest. A flow within the limit keeps its
#   colors.
# Happens: components are clipped to the range from 0 to 10. Negative ones are 0: motion to the left and upwards is white as
#   that of things at rest, and motion to the lower left is shown as motion downwards. No warning.
# Seen with Python 3.11.7, flow_vis 0.1, numpy 2.4.6; five pixels that move by 5 or less:
#   right: (255, 0, 0), with clip_flow=10 (255, 0, 0)
#   left: (0, 209, 255), with clip_flow=10 (255, 255, 255)
#   down: (255, 229, 0), with clip_flow=10 (255, 229, 0)
#   up: (88, 0, 255), with clip_flow=10 (255, 255, 255)
#   lower left: (65, 255, 38), with clip_flow=10 (255, 239, 102)
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{
  python3 -m venv venv && venv/bin/pip install --quiet numpy==2.4.6 &&
    venv/bin/pip install --quiet --no-deps flow_vis==0.1
} || exit 2
venv/bin/python - <<'PY'
import importlib.util
import sys

import numpy as np

# The package imports Matplotlib beside it, for a picture of the wheel; the colors need NumPy alone.
place = importlib.util.find_spec("flow_vis").submodule_search_locations[0]
spec = importlib.util.spec_from_file_location("colors", f"{place}/flow_vis.py")
colors = importlib.util.module_from_spec(spec)
spec.loader.exec_module(colors)

flows = {"right": (5, 0), "left": (-5, 0), "down": (0, 5), "up": (0, -5), "lower left": (-3, 3)}
flow = np.array([[*flows.values()]], dtype=np.float32)
plain, clipped = colors.flow_to_color(flow)[0].tolist(), colors.flow_to_color(flow, clip_flow=10)[0].tolist()
for name, one, other in zip(flows, plain, clipped):
    print(f"{name}: {tuple(one)}, with clip_flow=10 {tuple(other)}")
white = [255, 255, 255]
sys.exit([other == white for other in clipped] != [False, True, False, True, False] or white in plain)
PY
