#!/usr/bin/env bash
# torch.export: an exported program follows the training of the network from which it came.
#
# Expected: `torch.export.export` and `torch.onnx.export` capture a network as it is at the call: graph and weights.
# Happens: the weights are the network's own tensors, as long as nothing is written. Training goes on in the program, in
#   its `module()`, and in the ONNXProgram of a call without a file name. One exported at the best epoch and saved after
#   the training is a file of the last epoch, and training `module()` trains the network. Save at once, or export a
#   deep copy.
# Seen with Python 3.11.7, torch 2.13.0+cpu, onnx 1.23.2, onnxscript 0.7.2, onnxruntime 1.32.0, numpy 2.4.6; a weight of 1
#   when it is exported and of 5 afterward:
#   written at once: 1 in the .pt2 file, 1 in the .onnx file
#   written afterward: 5 in the .pt2 file, 5 in the .onnx file
#   a deep copy, written afterward: 1 in the .pt2 file, 1 in the .onnx file
#   the weight of module() set to 7: the network's is 7
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{
  python3 -m venv venv &&
    venv/bin/pip install --quiet torch==2.13.0 onnx==1.23.2 onnxscript==0.7.2 onnxruntime==1.32.0 numpy==2.4.6
} || exit 2
venv/bin/python -W ignore - <<'PY'
import copy
import sys

import onnxruntime
import torch

x = torch.ones(1, 1)


def network():
    layer = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.ones_(layer.weight)
    return layer.eval()


def export(layer):
    return torch.export.export(layer, (x,)), torch.onnx.export(layer, (x,), dynamo=True, verbose=False, input_names=["x"])


def written(program, onnx_program):
    torch.export.save(program, "layer.pt2")
    onnx_program.save("layer.onnx")
    session = onnxruntime.InferenceSession("layer.onnx", providers=["CPUExecutionProvider"])
    return torch.export.load("layer.pt2").module()(x).item(), session.run(None, {"x": x.numpy()})[0].item()


results = {}
layer = network()
programs, copies = export(layer), export(copy.deepcopy(layer))
results["written at once"] = written(*programs)
torch.nn.init.constant_(layer.weight, 5.0)
results["written afterward"] = written(*programs)
results["a deep copy, written afterward"] = written(*copies)
for title, (program, onnx_program) in results.items():
    print(f"{title}: {program:g} in the .pt2 file, {onnx_program:g} in the .onnx file")
torch.nn.init.constant_(programs[0].module().weight, 7.0)
print(f"the weight of module() set to 7: the network's is {layer.weight.item():g}")
sys.exit([*results.values()] != [(1, 1), (5, 5), (1, 1)] or layer.weight.item() != 7)
PY
