"""What a family costs beside reading the image: `python benchmarks/families.py [NAME ...]`.

Ratios in one run on this machine's CPU, and peak memory of large grids in processes of their own. NAME selects
sections: forward, affine, memory.
"""

import json
import os
import platform
import subprocess
import sys
from datetime import date
from pathlib import Path

import torch
import torch.nn.functional as F
from interleaved import medians

import stnkit

SHAPES = [(256, 1, 42, 42), (32, 3, 224, 224), (16, 64, 56, 56), (1, 3, 1024, 1024)]
# Family, options, and the most that grid and sampling together may cost, relative to sampling alone.
FORWARD = [
    ("translation", {}, 1.3),
    ("rotation", {}, 1.3),
    ("scale", {}, 1.3),
    ("similarity", {}, 1.3),
    ("attention", {}, 1.3),
    ("affine", {}, 1.3),
    ("projective", {}, 1.3),
    ("homography4", {}, 1.3),
    ("tps", {"control_points": [4, 4]}, 1.6),
    ("piecewise_affine", {"control_points": [4, 4]}, 1.6),
    ("bspline", {"control_points": [4, 4]}, 1.6),
    ("displacement", {"resolution": [4, 4]}, 1.6),
    ("tps", {"control_points": [8, 8]}, 2.5),
    ("piecewise_affine", {"control_points": [8, 8]}, 2.5),
    ("bspline", {"control_points": [8, 8]}, 2.5),
    ("displacement", {"resolution": [8, 8]}, 2.5),
]
LARGE_64_POINTS = 4.0  # at 1024², where the basis of 64 points alone is 268 MB of traffic
MEMORY = [("tps", {"control_points": [32, 32]}, 1.5), ("bspline", {"control_points": [64, 64]}, 0.7)]


def thetas(family: stnkit.TransformFamily, batch: int) -> torch.Tensor:
    """Near the identity, where training is."""
    return family.identity().float() + 0.02 * torch.randn(batch, family.n_params)


def forward() -> None:
    """Grid and sampling against sampling from a ready grid."""
    print("\n## Grid and sampling, relative to sampling alone (forward)\n")
    print("| family | options | " + " | ".join("×".join(map(str, s)) for s in SHAPES) + " | allowed |")
    print("|---|---|" + "---|" * (len(SHAPES) + 1))
    sampler = stnkit.build("sampler", "bilinear")
    for name, options, allowed in FORWARD:
        family = stnkit.build("transform", name, **options)
        cells = []
        for shape in SHAPES:
            image, theta = torch.rand(shape), thetas(family, shape[0])
            with torch.no_grad():
                ready = family.grid(theta, shape[2:]).contiguous()
                took = medians(
                    {
                        "alone": lambda image=image, ready=ready: sampler(image, ready),
                        "both": lambda image=image, theta=theta, f=family, shape=shape: sampler(
                            image, f.grid(theta, shape[2:])
                        ),
                    },
                    seconds=1.5,
                )
            cells.append(f"{took['both'] / took['alone']:.2f}")
        limit = f"{allowed}" + (f" ({LARGE_64_POINTS} at 1024²)" if allowed == 2.5 else "")
        print(f"| {name} | {json.dumps(options) if options else ''} | {' | '.join(cells)} | {limit} |", flush=True)


def affine() -> None:
    """The affine warp, forward and backward, against torch's own two calls."""
    print("\n## Affine warp, forward and backward to image and θ: torch's time / ours\n")
    print("| shape | F.affine_grid + F.grid_sample, ms | stnkit, ms | ratio | wanted |\n|---|---|---|---|---|")
    family, sampler = stnkit.build("transform", "affine"), stnkit.build("sampler", "bilinear")
    for shape in SHAPES:
        image, theta = torch.rand(shape, requires_grad=True), thetas(family, shape[0]).requires_grad_()
        weight = torch.rand(shape)

        def ours(image=image, theta=theta, shape=shape):
            return sampler(image, family.grid(theta, shape[2:]))

        def theirs(image=image, theta=theta, shape=shape):
            grid = F.affine_grid(theta.view(-1, 2, 3), list(shape), align_corners=False)
            return F.grid_sample(image, grid, align_corners=False)

        def step(warp, image=image, theta=theta, weight=weight):
            return torch.autograd.grad(warp(), (image, theta), weight)

        torch.testing.assert_close(ours(), theirs(), atol=1e-3, rtol=1e-3)
        for a, b in zip(step(ours), step(theirs), strict=True):
            # By norm: a point that rounding takes across a pixel center has the other sub-gradient.
            assert (a - b).norm() < 0.02 * b.norm()
        took = medians({"theirs": lambda step=step, w=theirs: step(w), "ours": lambda step=step, w=ours: step(w)}, 4)
        wanted = 1.8 if shape == SHAPES[0] else 0.95
        ratio = took["theirs"] / took["ours"]
        name = "×".join(map(str, shape))
        print(f"| {name} | {took['theirs']:.2f} | {took['ours']:.2f} | {ratio:.2f} | {wanted} |", flush=True)


def memory() -> None:
    """Peak memory of a large grid, forward and backward, above the process before it."""
    print("\n## Peak memory of a grid on 1024×1024, forward and backward\n")
    print("| family | options | GiB above the process before it | seconds | allowed GiB |\n|---|---|---|---|---|")
    for name, options, allowed in MEMORY:
        command = [sys.executable, __file__, "--grid", name, json.dumps(options)]
        result = subprocess.run(command, capture_output=True, text=True, check=True)
        gib, seconds = result.stdout.split()
        print(f"| {name} | {json.dumps(options)} | {gib} | {seconds} | {allowed} |", flush=True)


def one_grid(name: str, options: str) -> None:
    """In a process of its own: its peak is its own."""
    import time

    family = stnkit.build("transform", name, **json.loads(options))
    theta = thetas(family, 1).requires_grad_()
    family.grid(theta, (8, 8)).sum().backward()
    # The peak starts anew: a process inherits that of its parent, and importing torch peaks high.
    Path("/proc/self/clear_refs").write_text("5")
    before = _peak_kib()
    start = time.perf_counter()
    family.grid(theta, (1024, 1024)).square().sum().backward()
    seconds = time.perf_counter() - start
    print(f"{(_peak_kib() - before) / 2**20:.2f} {seconds:.1f}")


def _peak_kib() -> int:
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


def main() -> None:
    if sys.argv[1:2] == ["--grid"]:
        one_grid(*sys.argv[2:])
        return
    torch.manual_seed(0)
    torch.set_num_threads(os.cpu_count() or 1)
    processor = platform.processor() or platform.machine()
    print(f"# Families\n\n{date.today()}, torch {torch.__version__}, {torch.get_num_threads()} threads, {processor}")
    sections = {"forward": forward, "affine": affine, "memory": memory}
    for section in sys.argv[1:] or sections:
        sections[section]()


if __name__ == "__main__":
    main()
