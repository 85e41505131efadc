"""Random warps, native and composite: `python .ci/random_warps.py 2000 [SEED]`, for the sanitizers of `.ci/sanitize`.

Everything that a kernel branches on is drawn: sizes from 0 on, element types, memory formats and strides, paddings,
maps of any size with NaN and infinity among them, gradients that are wanted, threads. Where everything is finite and
small, the native result is compared with the composite one.
"""

import random
import sys
from collections.abc import Sequence

import torch
from torch import Tensor

import stnkit

SIZES = (1, 1, 2, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 40, 64, 70)
SPECIAL = (0.0, -0.0, float("nan"), float("inf"), float("-inf"), 1e-30, -1e4, 1e4, 1e20, -3e38)
PADDINGS = ("zeros", "border", "reflection", "circular", "fill")
SAMPLERS = (("bilinear", {}), ("bilinear", {}), ("bicubic", {}), ("bicubic", {"a": -0.5}))
TOLERANCES = {torch.float32: 2e-4, torch.float16: 1e-2, torch.bfloat16: 5e-2}


def drawn_image(shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    """Random values in a random layout: contiguous, channels-last, a window, every second pixel, or expanded."""
    n, c, h, w = shape
    layout = random.choice(("contiguous", "contiguous", "last", "last", "window", "strided", "transposed", "expanded"))
    if layout == "last":
        return torch.randn(n, h, w, c, dtype=dtype).permute(0, 3, 1, 2)
    if layout == "window":
        return torch.randn(n, c, h + 3, w + 5, dtype=dtype)[:, :, 1 : h + 1, 2 : w + 2]
    if layout == "strided":
        return torch.randn(n, c, h, 2 * w, dtype=dtype)[..., ::2]
    if layout == "transposed":
        return torch.randn(n, c, w, h, dtype=dtype).transpose(2, 3)
    if layout == "expanded":
        return torch.randn(1, c, h, w, dtype=dtype).expand(n, c, h, w)
    return torch.randn(n, c, h, w, dtype=dtype)


def drawn_theta(family: stnkit.TransformFamily, n: int) -> tuple[Tensor, bool]:
    """Parameters from the identity to nonsense, and whether a comparison makes sense."""
    scale = random.choice((0.0, 0.02, 0.3, 3.0, 300.0))
    theta = family.identity().float() + scale * torch.randn(n, family.n_params)
    if random.random() < 0.25 and theta.numel():
        theta.view(-1)[random.randrange(theta.numel())] = random.choice(SPECIAL)
        return theta, False
    # At the identity rounding decides between the two sides of a kink.
    return theta, 0 < scale < 1


def warp(transform: str, dtype: torch.dtype) -> None:
    """One warp, forward and backward."""
    n, c = random.choice((0, 1, 1, 2, 3, 9)), random.choice((0, 1, 1, 2, 3, 4, 7, 8, 9, 16, 33))
    image = drawn_image((n, c, random.choice(SIZES), random.choice(SIZES)), dtype)
    size = random.choice(SIZES), random.choice(SIZES)
    family = stnkit.build("transform", transform)
    theta, comparable = drawn_theta(family, n)
    name, options = random.choice(SAMPLERS)
    padding = random.choice(PADDINGS)
    fill = [random.uniform(-1, 1) for _ in range(c)] if random.random() < 0.5 and c else 0.5
    sampler = stnkit.build(
        "sampler", name, padding=padding, **options, **({"fill_value": fill} if padding == "fill" else {})
    )
    wanted = random.choice(((True, True), (True, False), (False, True), (False, False)))
    image, theta = (leaf.requires_grad_(wants) for leaf, wants in zip((image, theta), wanted, strict=True))
    torch.set_num_threads(random.choice((1, 2)))
    weight = drawn_image((n, c, *size), dtype)

    def run() -> list[Tensor]:
        output = stnkit.warp(family, theta, image, sampler, size)
        leaves = [leaf for leaf in (image, theta) if leaf.requires_grad]
        return [output.detach(), *(torch.autograd.grad(output, leaves, weight) if leaves else ())]

    found = run()
    with stnkit.native.disabled():
        expected = run()
    # The gradient to θ jumps at the kinks, on either side of which roundings may fall.
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.shape == theirs.shape, (ours.shape, theirs.shape)
        if comparable and ours.shape != theta.shape and theirs.isfinite().all():
            difference = (ours.double() - theirs.double()).norm() / theirs.double().norm().clamp_min(1e-2)
            told = f"{transform} {name} {padding} {dtype} {tuple(image.shape)} {image.stride()} to {size}"
            assert difference < TOLERANCES[dtype], f"{told}: {difference:.1e}"


def main() -> None:
    """So many warps; the seed is printed, since a report of a sanitizer ends the process."""
    count, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(2**31)
    print(f"{count} random warps of seed {seed}", flush=True)
    random.seed(seed)
    torch.manual_seed(seed)
    for _ in range(count):
        warp(random.choice(("affine", "affine", "projective", "projective", "tps")), random.choice(list(TOLERANCES)))


if __name__ == "__main__":
    main()
