"""ncnn: a trace of batch 1, converted by pnnx with float32 weights."""

import subprocess
import warnings

import ncnn
import numpy as np
import pnnx
import torch
from nets import build, images

TELLING = r"layer \S+ not exists or registered|[^\n]*not supported[^\n]*|find_blob_index_by_name \S+ failed"
BATCHES = (1,)


def load(folder, name):
    """The network of ncnn's two files."""
    net = build(name)
    path = folder / f"{name}.pt"
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(net, images(net, 1), check_trace=False).save(path)
    shape = "x".join(map(str, (1, *net.image_shape)))
    command = [pnnx.EXEC_PATH, path, f"inputshape=[{shape.replace('x', ',')}]f32", "fp16=0"]
    process = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=300, cwd=folder)
    print(process.stdout, process.stderr, flush=True)
    param = folder / f"{name}.ncnn.param"
    if not param.is_file():
        raise RuntimeError("not converted")
    loaded = ncnn.Net()
    loaded.opt.use_fp16_packed = loaded.opt.use_fp16_storage = loaded.opt.use_fp16_arithmetic = False
    loaded.opt.use_bf16_storage = False
    loaded.opt.num_threads = 1
    if loaded.load_param(str(param)) or loaded.load_model(str(param.with_suffix(".bin"))):
        raise RuntimeError("not loaded")

    def run(image):
        extractor = loaded.create_extractor()
        extractor.input("in0", ncnn.Mat(np.ascontiguousarray(image[0])).clone())
        outputs = [extractor.extract(output) for output in ("out0", "out1")]
        if any(code for code, _ in outputs):
            raise RuntimeError("no output")
        return [np.array(value)[None] for _, value in outputs]

    return run
