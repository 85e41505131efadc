#!/usr/bin/env bash
# The matrix of docs/deployment.md: exported networks of this checkout in other runtimes, compared with eager torch.
#
#   findings/runtimes/matrix.sh [FOLDER] [ENGINE...] [NET...]
#
# FOLDER, by default a temporary one, keeps the environment, the exported files and the results. ENGINE... (`engines/`
# has their names) and NET..., families or networks of `nets.py`, run only these: a new folder needs `eager` and
# `onnx_file` among the engines. All of them need node and npm, and about an hour on two cores.
# It prints the tables and puts them into docs/deployment.md, where cells that were never run in FOLDER stay as they are.
# Where all were run, it measures times as ratios to eager torch, and sizes, too.
# Exit code: 0 if the tables were printed, 2 if the packages cannot be installed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-$(mktemp -d)}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
web=onnxruntime-web@1.30.0
if ! test -x "$folder/venv/bin/python"; then
    {
        python3 -m venv "$folder/venv"
        "$folder/venv/bin/pip" install --quiet torch==2.13.0 onnx==1.23.2 onnxscript==0.7.2 onnxruntime==1.32.0 \
            openvino==2026.4.1 tract==0.23.9 MNN==3.6.1 executorch==1.5.1 ncnn==1.0.20261020 pnnx==20261020 numpy==2.4.6
        "$folder/venv/bin/pip" install --quiet --editable "$here/../.."
        (cd "$folder" && npm pack "$web" --silent >/dev/null && tar xzf onnxruntime-web-*.tgz)
    } || exit 2
fi
cd "$here"
export OMP_NUM_THREADS=1 ONNXRUNTIME_WEB="$folder/package/dist"
"$folder/venv/bin/python" matrix.py "$folder/results" "${@:2}" >&2
page=$here/../../docs/deployment.md
"$folder/venv/bin/python" tables.py "$folder/results" "$page"
echo
if test $# -lt 2; then
    "$folder/venv/bin/python" speed.py "$folder/results" "$page"
    echo
fi
echo "$(date +%F), stnkit $(git rev-parse --short HEAD), $(lscpu | sed -n 's/^Model name: *//p')"
