"""Draw the pictures of `docs/families.md`: the effect of every registered transform and sampler on an image.

python docs/gallery.py             all pictures
python docs/gallery.py tps         one family
python docs/gallery.py samplers    the samplers
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

import stnkit
from stnkit.plugin_system.registry import plugin_registry

IMAGES = Path(__file__).parent / "images"
COLORS = 255  # in the palette of a picture
PIXELS = 120  # side of the test image and of the outputs
OUTSIDE = 0.55  # gray level outside the image, in both panels
VIEW = 1.45  # half-width of the visible source plane
FAR = 8.0  # coordinate at which a line through a horizon is cut
LATTICE_LINES = 7  # differs from the number of squares of the background
LINE = {"color": "tab:red", "linewidth": 0.8}
SAMPLERS = "samplers"

SQUARE = [[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]]
# Three pictures for each family: label, options, θ. A list is θ itself, a mapping gives offsets of entries of the
# identity, a number is the standard deviation of normal noise, with a fixed seed, that is added to the identity.
Recipe = list[tuple[str, dict[str, Any], list[float] | dict[int, float] | float]]
OTHERS: Recipe = [(f"random, σ = {sigma}", {}, sigma) for sigma in (0.05, 0.1, 0.2)]
RECIPES: dict[str, Recipe] = {
    "translation": [(f"θ = {t}", {}, t) for t in ([0.4, 0.0], [0.0, 0.4], [-0.8, -0.3])],
    "rotation": [(f"θ = {angle}", {}, [angle]) for angle in (0.3, -0.8, 1.57)],
    "scale": [
        ("θ = −0.5", {}, [-0.5]),
        ("θ = 0.3", {}, [0.3]),
        ("isotropic=false, θ = [0.3, −0.7]", {"isotropic": False}, [0.3, -0.7]),
    ],
    "euclidean": [(f"θ = {t}", {}, t) for t in ([0.4, 0.0, 0.0], [0.0, 0.3, -0.4], [0.4, 0.3, -0.4])],
    "similarity": [(f"θ = {t}", {}, t) for t in ([0.4, 0.0, 0.0, 0.0], [0.4, -0.5, 0.0, 0.0], [0.4, -0.5, 0.4, -0.2])],
    "shear": [(f"θ = {t}", {}, t) for t in ([0.5, 0.0], [0.0, -0.4], [0.4, 0.4])],
    "attention": [
        *[(f"θ = {t}", {}, t) for t in ([-0.7, 0.0, 0.0], [-0.7, -0.3, -0.5])],
        ("isotropic=false, θ = [−1.2, −0.3, 0.1, 0]", {"isotropic": False}, [-1.2, -0.3, 0.1, 0.0]),
    ],
    "affine": [
        ("shear, b = 0.4", {}, {1: 0.4}),
        ("mirrored, a = −1", {}, [-1.0, 0.0, 0.0, 0.0, 1.0, 0.0]),
        ("all entries", {}, [0.8, 0.3, 0.1, -0.4, 0.9, -0.1]),
    ],
    "projective": [
        ("g = 0.3", {}, {6: 0.3}),
        ("g = −0.3, h = 0.4", {}, {6: -0.3, 7: 0.4}),
        ("h = 1.5: a horizon", {}, {7: 1.5}),
    ],
    "homography4": [
        ("top right moved", {}, {1: -0.5, 5: 0.4}),
        ("a trapezium", {}, {0: 0.5, 1: -0.5, 2: -0.2, 3: 0.2}),
        ("mirrored", {}, [1.6, -1.8, 1.8, -2.0, 0.2, -0.3, -0.2, 0.3]),
    ],
    "tps": [
        ("one point moved", {}, {5: 0.4, 21: 0.3}),
        ("random, σ = 0.15", {}, 0.15),
        ("the same, regularization=0.3", {"regularization": 0.3}, 0.15),
    ],
    "piecewise_affine": [
        ("one point moved", {}, {5: 0.35, 21: 0.25}),
        ("random, σ = 0.15", {}, 0.15),
        ("six positions, σ = 0.15", {"control_points": [*SQUARE, [0.2, -0.3], [-0.5, 0.4]]}, 0.15),
    ],
    "bspline": [
        ("one point moved", {}, {27: 0.5, 91: 0.5}),
        ("control_points=[6,6], σ = 0.5: it folds", {"control_points": [6, 6]}, 0.5),
        ("control_points=[10,10], pinned=borders, σ = 0.3", {"control_points": [10, 10], "pinned": "borders"}, 0.3),
    ],
    "displacement": [
        ("resolution=[4,4], one entry moved", {"resolution": [4, 4]}, {5: 0.25, 21: 0.2}),
        ("random, σ = 0.04", {}, 0.04),
        ("resolution=[3,3], σ = 0.2", {"resolution": [3, 3]}, 0.2),
    ],
    "velocity": [
        ("one point moved", {}, {27: 1.0, 91: 1.0}),
        ("control_points=[6,6], σ = 0.5", {"control_points": [6, 6]}, 0.5),
        ("the opposite θ, T⁻¹", {"control_points": [6, 6]}, -0.5),
    ],
    "bounded": [
        ("limit=0.3, b = 0.3", {"limit": 0.3}, {1: 0.3}),
        ("limit=0.3, b = 30", {"limit": 0.3}, {1: 30.0}),
        ("inner=tps limit=0.1, random, σ = 1", {"inner": "tps", "limit": 0.1}, 1.0),
    ],
    "polar": [
        ("the neutral θ", {}, [0.0, 0.0]),
        ("another center, θ = [−0.35, 0]", {}, [-0.35, 0.0]),
        ("log=true, radius=1.4", {"log": True, "radius": 1.4}, [0.0, 0.0]),
    ],
    "cpab": [
        ("two velocities", {}, {9: 0.8, 22: -0.8}),
        ("random, σ = 0.4", {}, 0.4),
        ("volume_preserving=true, σ = 0.8", {"volume_preserving": True}, 0.8),
    ],
    "compose": [
        ("stage affine alone", {}, {1: 0.4}),
        ("stage tps alone", {}, {11: 0.4, 27: 0.3}),
        ("both", {}, {1: 0.4, 11: 0.4, 27: 0.3}),
    ],
}


def letter(n: int = PIXELS) -> Tensor:
    """An F on a checkered background, (1, 3, n, n), which no flip and no quarter turn leaves unchanged."""
    x, y = stnkit.coordinates.lattice((n, n)).unbind(-1)
    light = torch.tensor([1.0, 0.98, 0.9]).view(3, 1, 1)
    dark = torch.tensor([0.72, 0.85, 0.92]).view(3, 1, 1)
    checkered = ((x + 1) * 4).floor() + ((y + 1) * 4).floor()
    image = torch.where(checkered % 2 == 0, light, dark)
    stem = (x > -0.5) & (x < -0.2) & (y.abs() < 0.7)
    arms = (x > -0.5) & (((y > -0.7) & (y < -0.42) & (x < 0.55)) | ((y > -0.12) & (y < 0.14) & (x < 0.3)))
    ink = torch.tensor([0.1, 0.15, 0.4]).view(3, 1, 1)
    return torch.where(stem | arms, ink, image)[None]


def rings(n: int) -> Tensor:
    """Rings with a period of four pixels at the middle of an edge, and a longer one inside, (1, 3, n, n)."""
    squared = stnkit.coordinates.lattice((n, n)).square().sum(dim=-1)
    return (0.5 + 0.5 * torch.cos(torch.pi * n / 8 * squared)).expand(1, 3, -1, -1)


def theta_of(family: Any, recipe: list[float] | dict[int, float] | float) -> Tensor:
    """The θ of a recipe, (1, P)."""
    if isinstance(recipe, list):
        return torch.tensor([recipe])
    theta = family.identity().float()
    if isinstance(recipe, dict):
        for entry, offset in recipe.items():
            theta[entry] += offset
        return theta[None]
    return theta[None] + recipe * torch.randn(1, family.n_params, generator=torch.Generator().manual_seed(0))


def lattice_lines() -> Tensor:
    """The lines of a regular lattice of the output, (points of a line, lines, 2)."""
    along = torch.linspace(-1, 1, 161)
    across = torch.linspace(-1, 1, LATTICE_LINES)
    vertical = torch.stack(torch.meshgrid(along, across, indexing="ij")[::-1], dim=-1)
    return torch.cat([vertical, vertical.flip(-1)], dim=1)


def draw_family(name: str, folder: Path) -> Path:
    """Three θ in a row, each as the input with the sampling grid and as the output."""
    figure = Figure(figsize=(10.8, 1.98), layout="constrained")
    panels = figure.subfigures(1, 3, wspace=0.03)
    sampler = stnkit.build("sampler", "bilinear", padding="fill", fill_value=OUTSIDE)
    image, lines = letter(), lattice_lines()
    for panel, (label, options, recipe) in zip(panels, RECIPES.get(name, OTHERS), strict=True):
        family = stnkit.build("transform", name, **options)
        theta = theta_of(family, recipe)
        warped = stnkit.warp(family, theta, image, sampler, (PIXELS, PIXELS))
        source = family(theta, lines.view(1, -1, 2)).view_as(lines)
        source = torch.where(source.abs().amax(dim=-1, keepdim=True) < FAR, source, torch.nan)
        before, after = panel.subplots(1, 2)
        panel.suptitle(label, fontsize=9)
        for axes, shown, drawn, view, alpha in ((before, image, source, VIEW, 1.0), (after, warped, lines, 1.02, 0.35)):
            show(axes, shown)
            axes.plot(*drawn.movedim(-1, 0).numpy(), alpha=alpha, **LINE)
            axes.plot(*drawn[0, 0].numpy(), "o", color=LINE["color"], markersize=5, clip_on=axes is before)
            axes.set(xlim=(-view, view), ylim=(view, -view))
    return save(figure, folder / "families" / f"{name}.png")


def draw_samplers(folder: Path) -> Path:
    """One column for each sampler: a small image rotated and enlarged, and a large one shrunk by 4."""
    names = plugin_registry().names("sampler")
    family, theta = stnkit.build("transform", "similarity"), torch.tensor([[0.3, -0.9, -0.05, -0.3]])
    enlarged, shrunk = family.grid(theta, (PIXELS, PIXELS)), family.grid(torch.zeros(1, 4), (32, 32))
    figure = Figure(figsize=(1.3 * len(names) + 1.3, 2.85), layout="constrained")
    axes = figure.subplots(2, len(names) + 1)
    for row, (label, image, grid) in enumerate(
        (("enlarged", letter(24), enlarged), ("shrunk by 4", rings(128), shrunk))
    ):
        axes[row, 0].set_ylabel(label, fontsize=9)
        show(axes[row, 0], image)
        for column, name in enumerate(names, start=1):
            show(axes[row, column], stnkit.build("sampler", name)(image, grid))
    for column, name in enumerate(["source", *names]):
        axes[0, column].set_title(name, fontsize=9)
    outline = torch.tensor([[[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0]]])
    axes[0, 0].plot(*family(theta, outline)[0].T.numpy(), color=LINE["color"], linewidth=1.5)
    return save(figure, folder / f"{SAMPLERS}.png")


def show(axes: Any, image: Tensor) -> None:
    """Show an image in normalized coordinates, on the gray of the outside."""
    axes.set(xticks=[], yticks=[], facecolor=str(OUTSIDE))
    # Pixels of small images are shown as squares.
    interpolation = "nearest" if image.shape[-1] < PIXELS // 2 else None
    axes.imshow(image[0].clamp(0, 1).movedim(0, -1).numpy(), extent=(-1, 1, 1, -1), interpolation=interpolation)


def save(figure: Figure, path: Path) -> Path:
    """Write a PNG with a palette, a third of the size of one without."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.set_dpi(80)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    drawn = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    drawn.quantize(COLORS, dither=Image.Dither.NONE).save(path, optimize=True)
    return path


def main(arguments: list[str] | None = None) -> None:
    """Draw the pictures that the command line names."""
    families = [name for name in plugin_registry().names("transform") if stnkit.build("transform", name).ndim == 2]
    parser = argparse.ArgumentParser(description="Draw the pictures of docs/families.md.")
    parser.add_argument("names", nargs="*", help=f"families, or {SAMPLERS}; all by default")
    parser.add_argument("--out", type=Path, default=IMAGES, help="folder to draw into, by default %(default)s")
    given = parser.parse_args(arguments)
    unknown = sorted({*given.names} - {*families, SAMPLERS})
    if unknown:
        parser.error(f"expected names of {', '.join([*families, SAMPLERS])}, got {', '.join(unknown)}")
    with torch.no_grad():
        for name in given.names or [*families, SAMPLERS]:
            print(draw_samplers(given.out) if name == SAMPLERS else draw_family(name, given.out))


if __name__ == "__main__":
    main()
