"""stnkit: a plugin framework for spatial transformers.

The public names are imported when they are first used: `import stnkit` alone imports neither torch nor Hydra.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stnkit import (
        coordinates,
        distortions,
        errors,
        families,
        native,
        objectives,
        reading,
        samplers,
        testing,
    )
    from stnkit.datasets import Dataset
    from stnkit.distortions import Distortion
    from stnkit.experiments.trained_run import load_run
    from stnkit.exporting.export import export
    from stnkit.families import TransformFamily
    from stnkit.families.caching import clear_caches
    from stnkit.families.regularity import bending_energy, folds, jacobian_determinant
    from stnkit.insertion import insert_transformers
    from stnkit.localizers import Localizer
    from stnkit.networks import Network
    from stnkit.objectives import Objective
    from stnkit.plugin_system.building import build
    from stnkit.plugin_system.components import Command, Component
    from stnkit.plugin_system.hookspecs import hookimpl
    from stnkit.samplers import Sampler
    from stnkit.transformer import ParallelTransformers, SpatialTransformer
    from stnkit.warping import warp

    __version__: str

# Public name: the module that holds it; "" for a module itself.
_MODULES = {
    "Command": "plugin_system.components",
    "Component": "plugin_system.components",
    "Dataset": "datasets",
    "Distortion": "distortions",
    "Localizer": "localizers",
    "Network": "networks",
    "Objective": "objectives",
    "ParallelTransformers": "transformer",
    "Sampler": "samplers",
    "SpatialTransformer": "transformer",
    "TransformFamily": "families",
    "bending_energy": "families.regularity",
    "build": "plugin_system.building",
    "clear_caches": "families.caching",
    "coordinates": "",
    "distortions": "",
    "errors": "",
    "export": "exporting.export",
    "families": "",
    "folds": "families.regularity",
    "hookimpl": "plugin_system.hookspecs",
    "insert_transformers": "insertion",
    "jacobian_determinant": "families.regularity",
    "load_run": "experiments.trained_run",
    "native": "",
    "objectives": "",
    "reading": "",
    "samplers": "",
    "testing": "",
    "warp": "warping",
}

# Modules that are not in `__all__`, but whose contents are public, as `stnkit.localizers.RegressionHead`.
_SUBMODULES = ("experiments", "interop", "localizers", "networks", "similarity")

# Names of plugin API 1 and where they are now; they work in this version, with a warning.
_RENAMED = {
    **{
        name: f"errors.{name}"
        for name in (
            "CheckpointError",
            "DataError",
            "DoesNotComposeError",
            "InputError",
            "NotFiniteError",
            "PluginError",
            "StnkitError",
            "UnknownNameError",
        )
    },
    "KernelSampler": "samplers.KernelSampler",
    "LinearFamily": "families.LinearFamily",
    "MatrixFamily": "families.MatrixFamily",
    "PaddedSampler": "samplers.PaddedSampler",
    "Padding": "samplers.Padding",
    "Reflection": "families.Reflection",
    "RegressionHead": "localizers.RegressionHead",
    "TrainedRun": "experiments.TrainedRun",
    "Verb": "Command",
    "WarpDistortion": "distortions.WarpDistortion",
    "displaced_lattice": "families.displaced_lattice",
    "kept": "families.cached",
    "pose_theta": "distortions.pose_theta",
    "uniform": "distortions.uniform",
}

__all__ = [
    "Command",
    "Component",
    "Dataset",
    "Distortion",
    "Localizer",
    "Network",
    "Objective",
    "ParallelTransformers",
    "Sampler",
    "SpatialTransformer",
    "TransformFamily",
    "bending_energy",
    "build",
    "clear_caches",
    "coordinates",
    "distortions",
    "errors",
    "export",
    "families",
    "folds",
    "hookimpl",
    "insert_transformers",
    "jacobian_determinant",
    "load_run",
    "native",
    "objectives",
    "reading",
    "samplers",
    "testing",
    "warp",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("stnkit")
    elif name in _RENAMED:
        return _renamed(name)
    elif name in _SUBMODULES:
        value = importlib.import_module(f"stnkit.{name}")
    elif name in _MODULES:
        module = importlib.import_module(f"stnkit.{_MODULES[name] or name}")
        value = getattr(module, name) if _MODULES[name] else module
    else:
        raise AttributeError(f"module 'stnkit' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])


def _renamed(name: str) -> Any:
    from stnkit.renaming import tell_renamed

    new = _RENAMED[name]
    tell_renamed(f"stnkit.{name} is now stnkit.{new}")
    module, _, attribute = new.rpartition(".")
    return getattr(
        importlib.import_module(f"stnkit.{module}") if module else importlib.import_module(__name__), attribute
    )
