#!/usr/bin/env bash
# pnnx: a float32 network is converted to ncnn with float16 weights.
#
# Expected: a converter of float32 weights writes float32, and half precision is an option, as the runtime's
#   use_fp16_storage is.
# Happens: it writes float16 unless fp16=0 is given, and the runtime's options, switched off, change nothing, since the
#   digits are gone. A linear layer of 64 inputs is off by 1.5e-4; coordinates of a regression are what suffers.
# Seen with Python 3.11.7, pnnx 20261020, ncnn 1.0.20261020, torch 2.13.0+cpu, numpy 2.4.6:
#   default: 4228 bytes, off by 1.5e-04
#   fp16=0:  8324 bytes, off by 6.0e-08
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet pnnx==20261020 ncnn==1.0.20261020 torch==2.13.0 numpy==2.4.6; } || exit 2
venv/bin/python - <<'PY'
import subprocess
import sys
from pathlib import Path

import ncnn
import numpy as np
import pnnx
import torch

torch.manual_seed(0)
layer = torch.nn.Linear(64, 32)
x = torch.rand(1, 64)
torch.jit.trace(layer, x).save("layer.pt")
expected = layer(x)[0].detach().numpy()


def convert(*options):
    command = [pnnx.EXEC_PATH, "layer.pt", "inputshape=[1,64]f32", *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    net = ncnn.Net()
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    net.opt.use_bf16_storage = False
    net.load_param("layer.ncnn.param")
    net.load_model("layer.ncnn.bin")
    extractor = net.create_extractor()
    extractor.input("in0", ncnn.Mat(x[0].numpy()).clone())
    _, output = extractor.extract("out0")
    return Path("layer.ncnn.bin").stat().st_size, float(np.abs(np.array(output) - expected).max())


found = {"default": convert(), "fp16=0": convert("fp16=0")}
for name, (size, error) in found.items():
    print(f"{name}: {size} bytes, off by {error:.1e}")
sys.exit(not (found["default"][1] > 1e-5 > found["fp16=0"][1]))
PY
