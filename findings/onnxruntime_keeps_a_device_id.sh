#!/usr/bin/env bash
# ONNX Runtime: the wheel for Linux collects telemetry, under an identifier of the machine that it writes to the home folder.
#
# Expected: telemetry of ONNX Runtime is that of Windows (ETW), and `pip install onnxruntime` on Linux has none: a session
#   reads its model and writes nothing.
# Happens: a session opens a database of events in `~/.cache/Microsoft/DeveloperTools/.onnxruntime`, and beside it is a file
#   with an identifier that stays for all later runs. Privacy.md, in the wheel, says that events are sent by HTTPS, by
#   default, on Linux too. Nothing is printed. `ORT_DISABLE_TELEMETRY=1` in the environment before the import prevents
#   both; `onnxruntime.disable_telemetry_events()` comes too late for them.
# Seen with Python 3.11.7, onnxruntime 1.32.0, onnx 1.23.2, numpy 2.4.6; files below an empty home folder after one run:
#   default: deviceid, onnxruntime.db
#   disable_telemetry_events(): deviceid, onnxruntime.db
#   ORT_DISABLE_TELEMETRY=1: none
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6; } || exit 2
venv/bin/python - <<'PY'
import os
import subprocess
import sys
from pathlib import Path

SESSION = """
import sys, numpy as np, onnxruntime
from onnx import TensorProto, helper
x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy")
graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "graph", [x], [y])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
if sys.argv[1] == "call":
    onnxruntime.disable_telemetry_events()
session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
session.run(None, {"x": np.ones(1, np.float32)})
"""
files = {}
for title, argument, variables in (
    ("default", "", {}),
    ("disable_telemetry_events()", "call", {}),
    ("ORT_DISABLE_TELEMETRY=1", "", {"ORT_DISABLE_TELEMETRY": "1"}),
):
    home = Path(f"home {len(files)}").resolve()
    home.mkdir()
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), **variables}
    subprocess.run([sys.executable, "-c", SESSION, argument], env=environment, check=True)
    files[title] = sorted(path.name for path in home.rglob("*") if path.is_file())
    print(f"{title}: {', '.join(files[title]) or 'none'}")
kept = {"deviceid", "onnxruntime.db"}
as_described = kept <= {*files["default"]} and kept <= {*files["disable_telemetry_events()"]}
sys.exit(not (as_described and not files["ORT_DISABLE_TELEMETRY=1"]))
PY
