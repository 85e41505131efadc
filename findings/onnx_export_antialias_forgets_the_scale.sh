#!/usr/bin/env bash
# torch's ONNX exporter: an antialiased interpolate by a scale factor is another map in the file.
#
# Expected: `interpolate(scale_factor=0.6, antialias=True)` is exported with its factor, as it is without `antialias`.
# Happens: the file has the sizes alone, and a runtime divides them: 21 pixels become 12, and 12 / 21 is 0.571. torch goes on
#   in steps of 1 / 0.6. Both agree in the first pixels, and drift apart by up to a pixel towards the end. Where factor times
#   size is whole, as in a test with 20 pixels, there is nothing to see.
# Seen with Python 3.11.7, torch 2.13.0+cpu, onnx 1.23.2, onnxscript 0.7.2, onnxruntime 1.32.0, numpy 2.4.6; each pixel tells
#   its row, largest difference from torch in ONNX Runtime:
#   20 rows by 0.5: 0.00, antialiased 0.00, antialiased to the size 10 0.00
#   21 rows by 0.5: 0.00, antialiased 0.86, antialiased to the size 10 0.00
#   20 rows by 0.6: 0.00, antialiased 0.00, antialiased to the size 12 0.00
#   21 rows by 0.6: 0.00, antialiased 0.92, antialiased to the size 12 0.00
#   224 rows by 0.3: 0.00, antialiased 0.67, antialiased to the size 67 0.00
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{
  python3 -m venv venv &&
    venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6 onnx==1.23.2 onnxscript==0.7.2 onnxruntime==1.32.0
} || exit 2
ORT_DISABLE_TELEMETRY=1 venv/bin/python - <<'PY'
import sys
import warnings

import onnxruntime
import torch
import torch.nn.functional as F

warnings.simplefilter("ignore")


class Resized(torch.nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.options = options

    def forward(self, image):
        return F.interpolate(image, mode="bilinear", **self.options)


def difference(rows, **options):
    image = torch.arange(float(rows)).view(1, 1, rows, 1).expand(1, 1, rows, rows).contiguous()
    network = Resized(**options).eval()
    expected = network(image)
    program = torch.onnx.export(network, (image,), dynamo=True, opset_version=20, verbose=False)
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString(), providers=["CPUExecutionProvider"])
    found = torch.from_numpy(session.run(None, {session.get_inputs()[0].name: image.numpy()})[0])
    return tuple(expected.shape[2:]), (found - expected).abs().max().item()


seen = []
for rows, factor in ((20, 0.5), (21, 0.5), (20, 0.6), (21, 0.6), (224, 0.3)):
    shape, plain = difference(rows, scale_factor=factor, antialias=False)
    _, smooth = difference(rows, scale_factor=factor, antialias=True)
    _, sized = difference(rows, size=shape, antialias=True)
    whole = abs(rows * factor - round(rows * factor)) < 1e-6
    print(f"{rows} rows by {factor}: {plain:.2f}, antialiased {smooth:.2f}, antialiased to the size {shape[0]} {sized:.2f}")
    seen.append(plain < 1e-3 and sized < 1e-3 and (smooth < 1e-3 if whole else smooth > 0.1))
sys.exit(not all(seen))
PY
