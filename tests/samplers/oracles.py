"""What samplers are compared with: SciPy, and the paper's equation 3 summed pixel by pixel in numpy."""

import itertools

import numpy as np
import scipy.ndimage
import torch

PADDINGS = ["zeros", "border", "reflection", "mirror", "circular", "fill"]
FILL = 0.7
# What SciPy calls them.
MODES = {
    "zeros": "grid-constant",
    "border": "nearest",
    "reflection": "reflect",
    "mirror": "mirror",
    "circular": "grid-wrap",
    "fill": "grid-constant",
}
SIZES_2D = [(1, 7), (7, 1), (1, 1), (2, 3), (5, 8), (6, 9)]
SIZES_3D = [(3, 4, 5), (1, 2, 6), (1, 1, 1)]
SIZES = SIZES_2D + SIZES_3D


def padding_options(padding):
    return {"padding": padding, "fill_value": FILL} if padding == "fill" else {"padding": padding}


def random_image(size, batch=2, channels=2, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, channels, *size, generator=generator, dtype=torch.float64).to(dtype)


def random_grid(ndim, batch=2, n=6, seed=1, reach=1.8, dtype=torch.float64):
    """Points on and beside the image."""
    generator = torch.Generator().manual_seed(seed)
    shape = [batch, *[2] * (ndim - 2), 3, n, ndim]
    return (reach * (2 * torch.rand(shape, generator=generator, dtype=torch.float64) - 1)).to(dtype)


def indices(grid, size):
    """Pixel indices in the order of the image's axes, one array for each."""
    return [((grid[..., -1 - d].numpy() + 1) * n - 1) / 2 for d, n in enumerate(size)]


def scipy_sample(image, grid, order, padding):
    out = np.empty((*image.shape[:2], *grid.shape[1:-1]))
    for b, c in itertools.product(range(image.shape[0]), range(image.shape[1])):
        out[b, c] = scipy.ndimage.map_coordinates(
            image[b, c].numpy(),
            indices(grid[b], image.shape[2:]),
            order=order,
            mode=MODES[padding],
            cval=FILL if padding == "fill" else 0.0,
            prefilter=order > 1,
        )
    return out


def read(array, index, padding):
    """One pixel, anywhere."""
    inside = []
    for i, n in zip(index, array.shape, strict=True):
        if padding in ("zeros", "fill"):
            if not 0 <= i < n:
                return FILL if padding == "fill" else 0.0
        elif padding == "border":
            i = min(max(i, 0), n - 1)
        elif padding == "circular":
            i = i % n
        elif padding == "mirror":
            # Walk back and forth: 0 1 ... n-1 n-2 ... 1 0.
            i = [*range(n), *reversed(range(1, n - 1))][i % max(2 * n - 2, 1)]
        else:
            # Walk back and forth: 0 1 ... n-1 n-1 ... 1 0.
            i = [*range(n), *reversed(range(n))][i % (2 * n)]
        inside.append(i)
    return array[tuple(inside)]


def loop_sample(image, grid, kernel, support, padding, normalized=False, widths=None):
    """Sum over the pixels around each point, one by one. `kernel` takes and returns a float."""
    image, size = image.numpy(), image.shape[2:]
    out = np.empty((*image.shape[:2], *grid.shape[1:-1]))
    for b in range(image.shape[0]):
        axes = indices(grid[b], size)
        for place in np.ndindex(*grid.shape[1:-1]):
            point = [axis[place] for axis in axes]
            width = [1.0] * len(point) if widths is None else widths[b][place]
            weights = [
                {
                    i: kernel((x - i) / w)
                    for i in range(int(np.floor(x - support)), int(np.ceil(x + support)) + 1)
                    if abs(x - i) < support
                }
                for x, w in zip(point, width, strict=True)
            ]
            sums = [sum(w.values()) if normalized else 1.0 for w in weights]
            for c in range(image.shape[1]):
                out[(b, c, *place)] = sum(
                    np.prod([w[i] / s for w, i, s in zip(weights, index, sums, strict=True)])
                    * read(image[b, c], index, padding)
                    for index in itertools.product(*weights)
                )
    return out


def keys(a):
    def kernel(d):
        t = abs(d)
        if t <= 1:
            return (a + 2) * t**3 - (a + 3) * t**2 + 1
        return a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a if t < 2 else 0.0

    return kernel
