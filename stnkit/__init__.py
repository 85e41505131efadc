"""stnkit: a plugin framework for spatial transformers.

The public names are imported when they are first used: `import stnkit` alone imports neither torch nor Hydra.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stnkit import coordinates, testing
    from stnkit.datasets import Dataset
    from stnkit.distortions import Distortion, WarpDistortion, pose_theta, uniform
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
    from stnkit.experiments.trained_run import TrainedRun, load_run
    from stnkit.families import LinearFamily, MatrixFamily, Reflection, TransformFamily, displaced_lattice, kept
    from stnkit.insertion.insert import insert_transformers
    from stnkit.localizers import Localizer, RegressionHead
    from stnkit.networks import Network
    from stnkit.plugin_system.building import build
    from stnkit.plugin_system.hookspecs import Component, Verb, hookimpl
    from stnkit.samplers import KernelSampler, PaddedSampler, Padding, Sampler
    from stnkit.transformer import ParallelTransformers, SpatialTransformer

_MODULES = {
    "CheckpointError": "errors",
    "Component": "plugin_system.hookspecs",
    "DataError": "errors",
    "Dataset": "datasets",
    "Distortion": "distortions",
    "DoesNotComposeError": "errors",
    "InputError": "errors",
    "KernelSampler": "samplers",
    "LinearFamily": "families",
    "Localizer": "localizers",
    "MatrixFamily": "families",
    "Network": "networks",
    "NotFiniteError": "errors",
    "PaddedSampler": "samplers",
    "Padding": "samplers",
    "ParallelTransformers": "transformer",
    "PluginError": "errors",
    "Reflection": "families",
    "RegressionHead": "localizers",
    "Sampler": "samplers",
    "SpatialTransformer": "transformer",
    "StnkitError": "errors",
    "TrainedRun": "experiments.trained_run",
    "TransformFamily": "families",
    "UnknownNameError": "errors",
    "Verb": "plugin_system.hookspecs",
    "WarpDistortion": "distortions",
    "build": "plugin_system.building",
    "coordinates": "",
    "displaced_lattice": "families",
    "hookimpl": "plugin_system.hookspecs",
    "insert_transformers": "insertion.insert",
    "kept": "families",
    "load_run": "experiments.trained_run",
    "pose_theta": "distortions",
    "testing": "",
    "uniform": "distortions",
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
