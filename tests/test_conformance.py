"""Every installed component, built in or a stranger's, passes the checks of its kind."""

import math
import os

import jaxtyping
import pytest

import stnkit
from stnkit.plugin_system.registry import plugin_registry

SCATTERED = [[-0.9, -0.8], [0.7, -1.0], [0.1, 0.2], [-0.6, 0.9], [1.1, 0.6]]
# Options that change the code that runs: dimensions, closed forms, large and small lattices, other kernels.
VARIANTS = {
    "transform.affine": [{"ndim": 3}],
    "transform.translation": [{"ndim": 3}],
    "transform.scale": [{"isotropic": False}, {"ndim": 3}],
    "transform.shear": [{"ndim": 3}],
    "transform.attention": [{"isotropic": False}, {"ndim": 3}, {"isotropic": False, "ndim": 3}],
    "transform.rotation": [{"aspect": 1.75}, {"ndim": 3, "aspect": [4.0, 3.0, 2.0]}],
    "transform.euclidean": [{"aspect": 1.75}, {"ndim": 3, "aspect": [4.0, 3.0, 2.0]}],
    "transform.similarity": [{"aspect": 0.6}, {"ndim": 3}],
    "transform.tps": [
        {"control_points": [3, 5], "regularization": 0.1},
        {"control_points": [12, 9]},
        {"control_points": [2, 3, 2], "ndim": 3},
        {"pinned": "borders"},
        {"pinned": [0, 7], "regularization": 0.2, "kernel": "cubic"},
        {"kernel": "quintic", "control_points": [3, 4, 3], "ndim": 3},
        {"kernel": "gaussian", "regularization": [0.1, *[0.0] * 15], "epsilon": 1.2},
    ],
    "transform.piecewise_affine": [
        {"control_points": [2, 5]},
        {"control_points": [2, 40]},
        {"control_points": [8, 9]},
        {"control_points": [2, 3, 2], "ndim": 3},
        {"control_points": [4, 4, 5], "ndim": 3},
        {"control_points": [8, 9], "pinned": "borders"},
        {"control_points": SCATTERED},
        {"control_points": SCATTERED, "pinned": [1, 4]},
        {"control_points": [[*point, z] for z, point in enumerate([*SCATTERED, [0.4, -0.2]], -2)], "ndim": 3},
    ],
    "transform.bspline": [
        {"control_points": [5, 9]},
        {"control_points": [4, 6, 5], "ndim": 3},
        {"control_points": [8, 9], "pinned": "borders"},
        {"control_points": [4, 4, 5], "pinned": [0, 30], "ndim": 3},
    ],
    "transform.velocity": [{"control_points": [5, 4], "steps": 3}, {"control_points": [4, 4, 5], "ndim": 3}],
    "transform.displacement": [
        {"resolution": [1, 4]},
        {"resolution": [1, 1]},
        {"resolution": [2, 3, 4], "ndim": 3},
    ],
    "transform.bounded": [
        {"inner": "rotation", "limit": 0.5},
        {"inner": {"name": "bspline", "control_points": [5, 6]}, "limit": 0.2},
        {"inner": "translation", "limit": [0.5, math.inf]},
        {"inner": "polar", "limit": 0.3},
        {"inner": {"name": "similarity", "ndim": 3}, "limit": [0.5, 0.5, 0.5, 0.2, 1.0, 1.0, 1.0]},
    ],
    "transform.polar": [
        {"log": True},
        {"inner": "affine", "aspect": 1.6},
        {"inner": {"name": "bspline", "control_points": [4, 5]}, "log": True, "radius": 1.3, "aspect": 0.5},
        {"inner": {"name": "compose", "stages": ["projective", "displacement"]}, "inner_radius": 0.2},
    ],
    "transform.compose": [
        {"stages": ["affine"]},
        {"stages": [{"name": "bspline", "control_points": [5, 6]}, "displacement", "projective"]},
        {"stages": [{"name": "compose", "stages": ["displacement"]}, "affine"]},
        {"stages": ["affine", {"name": "polar", "log": True}, "translation"]},
        {"stages": [{"name": "affine", "ndim": 3}, {"name": "bspline", "ndim": 3, "control_points": [4, 5, 4]}]},
    ],
    "sampler.antialiased": [{"renormalize": True}],
    "sampler.area": [{"max_footprint": 2.5}],
    "sampler.bilinear": [{"double_backward": True}],
    "sampler.bicubic": [{"a": -0.5}, {"padding": "fill", "fill_value": [0.25, -1.0, 2.0]}],
    "sampler.bspline": [{"order": 2}, {"order": 5}],
    "sampler.lanczos": [{"lobes": 2}],
    "sampler.gaussian": [{"sigma": 0.8}],
    "localizer.backbone": [
        {"network": {"name": "resnet", "width": 4}, "layer": "layers.stage2", "points": 3, "frozen": True},
        {"network": "compact_cnn"},
    ],
    "localizer.dense": [{"channels": [4, 6], "decoder": [], "downsample": 1}],
    "localizer.keypoints": [{"points": 3, "confidence": True}],
    "localizer.polar": [{"channels": [6], "angles": 24, "rings": 6, "harmonics": 1, "gain": 1.0, "downsample": 2}],
    "localizer.pooled": [{"moments": False, "channels": [8, 8]}],
    "localizer.convolutional": [{"channels": [4, 6, 8], "downsample": 1}, {"batch_norm": True}],
    "localizer.timm": [
        {"model": "resnet10t", "cells": 2, "options": {"zero_init_last": False}},
        {"model": "vit_tiny_patch16_224", "in_shape": [3, 32, 48], "options": {"depth": 2}},
        {"model": "resnet10t", "cells": 0, "options": {"zero_init_last": False}},
    ],
    "network.augmented": [{"inner": {"name": "paper_fcn", "hidden": [8]}, "distortion": "rotation"}],
    "network.paper_cnn": [{"in_shape": [1, 30, 40]}],
    "network.resnet": [{"width": 3, "blocks": [1, 2]}, {"in_shape": [3, 96, 128]}],
    "network.timm": [
        {"model": "resnet10t", "options": {"zero_init_last": False}},
        {"model": "vit_tiny_patch16_224", "in_shape": [3, 32, 48], "options": {"depth": 2}},
    ],
    "objective.classification": [{"label_smoothing": 0.1, "class_weights": [1.0, 2.0, 0.5, 1.0, 1.0, 3.0, 0.0]}],
    "dataset.mnist": [{"root": os.environ["STNKIT_MNIST"]}] if "STNKIT_MNIST" in os.environ else [],
}


def components():
    """Every installed component with its defaults, and with each of its variants."""
    names = [f"{entry.kind}.{entry.name}" for entry in plugin_registry().registered]
    return [*names, *({"name": name, **options} for name in names for options in VARIANTS.get(name, []))]


@pytest.fixture(autouse=True)
def _bad_input_reaches_the_component(request):
    # Run-time checks of annotations would refuse it first.
    if any(name in request.node.name for name in ("unknown_split", "wrong_theta", "wrong_points", "wrong_size")):
        jaxtyping.config.update("jaxtyping_disable", True)


@pytest.fixture(autouse=True)
def _timm_is_here(request):
    # With its defaults it is checked, and skipped, as where timm is not installed.
    if "network.timm(" in request.node.name or "localizer.timm(" in request.node.name:
        request.getfixturevalue("timm")


@pytest.mark.quick_cases(120)  # more than there are checks
@stnkit.testing.parametrize_with_checks(components())
def test_conformance(check):
    check()


def test_every_variant_is_of_an_installed_component():
    assert set(VARIANTS) <= {f"{entry.kind}.{entry.name}" for entry in plugin_registry().registered}


BROKEN_SWIRL = """
import torch, stnkit
class Swirl(stnkit.TransformFamily):
    n_params = 1
    def identity(self):
        return torch.zeros(1, dtype=torch.float64)
    def forward(self, theta, points):
        return 1.1 * points + theta[:, None]
@stnkit.hookimpl
def stnkit_components():
    yield stnkit.Component("swirl", Swirl)
"""


@pytest.mark.no_jaxtyping
def test_a_strangers_plugin_is_checked_too(make_distribution):
    make_distribution("their-swirl", {"their_swirl": BROKEN_SWIRL}, {"transform.swirl": "their_swirl"})
    (swirl,) = [component for component in components() if component == "transform.swirl"]
    tests = stnkit.testing.parametrize_with_checks([swirl]).args[1]
    assert "transform.swirl-identity" in [test.id for test in tests]
    results = stnkit.testing.run(swirl)
    assert str(results).startswith(
        "transform.swirl: 26 passed, 1 failed, 6 skipped\n  failed: identity (the identity must"
    )
