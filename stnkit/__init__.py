"""stnkit: a plugin framework for spatial transformers.

The public names are imported when they are first used: `import stnkit` alone imports neither torch nor Hydra.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stnkit import coordinates, testing
    from stnkit.building import build
    from stnkit.errors import (
        CheckpointError,
        DataError,
        DoesNotComposeError,
        InputError,
        NotFiniteError,
        PluginError,
        StnkitError,
        UnknownNameError,
    )
    from stnkit.experiments.datasets import Dataset
    from stnkit.experiments.distortions import Distortion, WarpDistortion, pose_theta, uniform
    from stnkit.experiments.loading import TrainedRun, load_run
    from stnkit.experiments.networks import Network
    from stnkit.families import LinearFamily, MatrixFamily, Reflection, TransformFamily, displaced_lattice, kept
    from stnkit.hookspecs import Component, Verb, hookimpl
    from stnkit.inserting import insert_transformers
    from stnkit.localizers import Localizer, RegressionHead
    from stnkit.parallel import ParallelTransformers
    from stnkit.samplers import KernelSampler, PaddedSampler, Padding, Sampler
    from stnkit.transformer import SpatialTransformer

_MODULES = {
    "CheckpointError": "errors",
    "Component": "hookspecs",
    "DataError": "errors",
    "Dataset": "experiments.datasets",
    "Distortion": "experiments.distortions",
    "DoesNotComposeError": "errors",
    "InputError": "errors",
    "KernelSampler": "samplers",
    "LinearFamily": "families",
    "Localizer": "localizers",
    "MatrixFamily": "families",
    "Network": "experiments.networks",
    "NotFiniteError": "errors",
    "PaddedSampler": "samplers",
    "Padding": "samplers",
    "ParallelTransformers": "parallel",
    "PluginError": "errors",
    "Reflection": "families",
    "RegressionHead": "localizers",
    "Sampler": "samplers",
    "SpatialTransformer": "transformer",
    "StnkitError": "errors",
    "TrainedRun": "experiments.loading",
    "TransformFamily": "families",
    "UnknownNameError": "errors",
    "Verb": "hookspecs",
    "WarpDistortion": "experiments.distortions",
    "build": "building",
    "coordinates": "",
    "displaced_lattice": "families",
    "hookimpl": "hookspecs",
    "insert_transformers": "inserting",
    "kept": "families",
    "load_run": "experiments.loading",
    "pose_theta": "experiments.distortions",
    "testing": "",
    "uniform": "experiments.distortions",
}

__all__ = [
    "CheckpointError",
    "Component",
    "DataError",
    "Dataset",
    "Distortion",
    "DoesNotComposeError",
    "InputError",
    "KernelSampler",
    "LinearFamily",
    "Localizer",
    "MatrixFamily",
    "Network",
    "NotFiniteError",
    "PaddedSampler",
    "Padding",
    "ParallelTransformers",
    "PluginError",
    "Reflection",
    "RegressionHead",
    "Sampler",
    "SpatialTransformer",
    "StnkitError",
    "TrainedRun",
    "TransformFamily",
    "UnknownNameError",
    "Verb",
    "WarpDistortion",
    "build",
    "coordinates",
    "displaced_lattice",
    "hookimpl",
    "insert_transformers",
    "kept",
    "load_run",
    "pose_theta",
    "testing",
    "uniform",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'stnkit' has no attribute {name!r}")
    module = importlib.import_module(f"stnkit.{_MODULES[name]}" if _MODULES[name] else f"stnkit.{name}")
    value = getattr(module, name) if _MODULES[name] else module
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
