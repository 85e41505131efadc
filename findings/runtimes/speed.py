"""Sizes of the exported files, and times as ratios to eager torch: `python speed.py FOLDER [PAGE]`, behind `matrix.py`.

One thread, batch 1, the contenders one after the other in each of 50 turns; the median over the turns. The machine must
be idle: OpenVINO computes in a thread of its own, which waits for a core. MNN is left out: beside it eager torch took
17 ms in place of 1.
"""

import importlib
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import torch

NETS = (
    "affine.bilinear",
    "projective.bilinear",
    "tps.bilinear",
    "bspline.bilinear",
    "affine.bicubic",
    "affine.lanczos",
)
CONTENDERS = {
    "eager": "eager torch",
    "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO f32",
    "tract": "tract",
}
FILES = {".onnx": "ONNX", ".mnn": "MNN", ".ncnn.bin": "ncnn", ".pte": "ExecuTorch", ".pt2": "AOTInductor"}
TURNS = 50


def runners(folder: Path, name: str) -> dict:
    """A function of an image for each runtime that has the network right."""
    from matrix import rows
    from tables import EQUAL

    made = {}
    for engine in CONTENDERS:
        row = rows(folder, engine).get(name, {"differences": {}})
        if row["differences"] and max(row["differences"].values()) < EQUAL:
            made[engine] = importlib.import_module(f"engines.{engine}").load(folder, name)
    package = folder / f"{name}.pt2"
    if package.is_file():
        loaded = torch._inductor.aoti_load_package(str(package))
        made["aoti"] = lambda image: loaded(torch.from_numpy(image))
    return made


def ratios(contenders: dict, image: np.ndarray) -> dict[str, float]:
    """The median time of each, divided by eager's of the same turn."""
    times: dict[str, list[float]] = {engine: [] for engine in contenders}
    for turn in range(TURNS + 5):
        for engine, run in contenders.items():
            began = time.perf_counter()
            run(image)
            if turn >= 5:
                times[engine].append(time.perf_counter() - began)
    eager = times["eager"]
    return {
        engine: statistics.median(own / base for own, base in zip(found, eager, strict=True))
        for engine, found in times.items()
    } | {"milliseconds": 1000 * statistics.median(eager)}


def text(folder: Path) -> str:
    """Both tables, in Markdown."""
    torch.set_num_threads(1)
    names = CONTENDERS | {"aoti": "AOTInductor"}
    lines = ["| network | eager, ms | " + " | ".join([*names.values()][1:]) + " |", "|---" * (len(names) + 1) + "|"]
    for name in NETS:
        image = np.load(folder / f"{name}.npz")["image_1"]
        found = ratios(runners(folder, name), image)
        cells = [f"{found[engine]:.2f}" if engine in found else "" for engine in [*names][1:]]
        lines.append(f"| {name} | {found['milliseconds']:.2f} | " + " | ".join(cells) + " |")
    sizes = ["| network | " + " | ".join(FILES.values()) + " |", "|---" * (len(FILES) + 1) + "|"]
    for name in NETS:
        paths = [folder / f"{name}{suffix}" for suffix in FILES]
        cells = [f"{path.stat().st_size / 1024:,.0f}" if path.is_file() else "" for path in paths]
        sizes.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n\n".join(["Times as ratios to eager torch:", "\n".join(lines), "Sizes in KiB:", "\n".join(sizes)])


if __name__ == "__main__":
    from tables import publish

    publish("speed", text(Path(sys.argv[1]).resolve()), (sys.argv[2:] or [None])[0])
