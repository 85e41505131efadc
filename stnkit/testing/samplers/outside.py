"""The check of padding, which is read outside of the image."""

from collections.abc import Callable

import torch

from stnkit import coordinates
from stnkit.plugin_system import options_of
from stnkit.samplers.padding import Padding
from stnkit.samplers.sampler import Sampler
from stnkit.testing.assertions import FLOAT64, NotApplicable, close
from stnkit.testing.component_under_test import ComponentUnderTest
from stnkit.testing.inputs import SIZE
from stnkit.testing.samplers.inputs import dimensions_read, grid_of, image_of

FILL = 0.625


def padding(under_test: ComponentUnderTest) -> None:
    """Outside of the image `padding` is read, for each of zeros, border, reflection, mirror, circular and fill.

    Zeros and fill: their constant, far outside. The others leave a constant image constant everywhere; border does not
    change beyond the edge, reflection is symmetric about the edge, mirror about the centers of the last pixels,
    circular repeats.
    """
    modes = _paddings(under_test)
    if not modes:
        raise NotApplicable("it takes no padding")
    for mode, make in modes:
        sampler = make()
        for ndim in dimensions_read(under_test):
            image, grid = image_of(SIZE[ndim])[:1], grid_of(SIZE[ndim], reach=2.3)[:1]
            far = 60 + grid
            if mode in (Padding.zeros, Padding.fill):
                value = FILL if mode is Padding.fill and under_test.component else getattr(sampler, "fill_value", 0.0)
                value = 0.0 if mode is Padding.zeros else value
                found = sampler(image, far)
                fill = torch.as_tensor(value, dtype=found.dtype).view(-1, *[1] * ndim)
                close(found, fill.expand_as(found), FLOAT64, f"with padding={mode} far outside {value} must be read")
                continue
            constant = torch.full_like(image, 3.25)
            claim = f"padding={mode} must leave a constant image constant everywhere"
            close(sampler(constant, grid), constant, FLOAT64, claim)
            centers = coordinates.lattice(SIZE[ndim], dtype=grid.dtype)[(-1,) * ndim]
            pairs = {
                Padding.border: (far, 10 + far, "beyond the border nothing may change"),
                Padding.reflection: (grid, 2 - grid, "it must be symmetric about the edge"),
                Padding.mirror: (grid, 2 * centers - grid, "it must be symmetric about the centers of the last pixels"),
                Padding.circular: (grid, grid + 2, "the image must repeat"),
            }
            here, there, claim = pairs[mode]
            close(sampler(image, there), sampler(image, here), FLOAT64, f"with padding={mode} {claim}")


def _paddings(under_test: ComponentUnderTest) -> list[tuple[Padding, Callable[[], Sampler]]]:
    """The paddings that the sampler takes, each with a function that makes one; an object has one padding."""
    if under_test.component is None:
        mode = getattr(under_test.instance, "padding", None)
        return [(Padding.parse(mode), lambda: under_test.instance)] if isinstance(mode, str) else []
    names = [option.name for option in options_of(under_test.component)]
    if "padding" not in names:
        return []
    made: list[tuple[Padding, Callable[[], Sampler]]] = []
    for mode in Padding:
        fill = {"fill_value": FILL} if mode is Padding.fill and "fill_value" in names else {}
        changed = under_test.with_options(padding=mode.value, **fill)
        made.append((mode, changed.built))
    return made
