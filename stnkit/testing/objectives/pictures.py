"""The check of the pictures and outlines that an objective adds to those of a run."""

from collections.abc import Mapping

import torch
from torch import Tensor

from stnkit.testing.assertions import NotApplicable, finite, require
from stnkit.testing.component_under_test import ComponentUnderTest
from stnkit.testing.objectives.surroundings import trained_runs

# Beyond black and white: the overshoot of a sampler's kernel at edges.
OVERSHOOT = 0.2


def pictures(under_test: ComponentUnderTest) -> None:
    """`pictures` gives an image for each of the batch, 0 to 1, and `outlines` points (B, n, 2), by their captions."""
    added = False
    for run in trained_runs(under_test):
        batch = run.batch()
        if batch.images.ndim != 4:
            raise NotApplicable("it takes volumes, of which a run has no pictures")
        with torch.no_grad():
            shown, lines = run.objective.pictures(batch), run.objective.outlines(batch)
        for caption, images in _by_caption("pictures", shown, len(batch.images)):
            shape = tuple(images.shape)
            right = images.ndim == 4 and images.numel() > 0
            require(right, f"pictures: {caption}: expected shape (B, K, H, W), got {shape}")
            finite(images, f"pictures: {caption} must be finite")
            low, high = images.detach().aminmax()
            inside = -OVERSHOOT <= float(low) <= float(high) <= 1 + OVERSHOOT
            require(inside, f"pictures: {caption}: expected values from 0 to 1, got {low:.3g} to {high:.3g}")
        for caption, points in _by_caption("outlines", lines, len(batch.images)):
            shape = tuple(points.shape)
            right = points.ndim == 3 and shape[2] == 2 and shape[1] > 1
            require(right, f"outlines: {caption}: expected shape (B, points, 2), got {shape}")
        added = added or bool(shown) or bool(lines)
    if not added:
        raise NotApplicable("it adds no pictures and no outlines")


def _by_caption(method: str, found: Mapping[str, Tensor], n: int) -> list[tuple[str, Tensor]]:
    texts = isinstance(found, Mapping) and all(isinstance(caption, str) and caption.strip() for caption in found)
    require(texts, f"{method}: expected a mapping of captions to tensors, got {type(found).__name__}")
    for caption, value in found.items():
        shape = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
        each = isinstance(value, Tensor) and value.ndim > 0 and len(value) == n
        require(each, f"{method}: {caption}: expected one for each of {n} images, got {shape}")
    return list(found.items())
