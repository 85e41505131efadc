"""The loggers of a run: stnkit's own and those of plugins, by their names in `training.loggers`."""

import copy
import importlib.util
import itertools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import CSVLogger, Logger, MLFlowLogger, TensorBoardLogger, WandbLogger

from stnkit.errors import InputError, NotInstalledError, PluginError, one_line
from stnkit.plugin_system import OWN_LOGGERS, MakeLogger, plugin_registry

# The name of the project of W&B and of the experiment of MLflow, unless their own environment variables name another.
PROJECT = "stnkit"
# These have the config beside them, in config.yaml.
WITHOUT_CONFIG = ("csv", "tensorboard")
# Named as their libraries; TensorBoard's may be that or tensorboardX.
LIBRARIES = ("wandb", "mlflow")


def check_loggers(names: Sequence[str]) -> None:
    """Raise an error unless these are names of loggers, each once, whose libraries are installed.

    Args:
        names: as `training.loggers` has them.

    Raises:
        UnknownNameError: for a name of no logger; lists those there are, and the broken plugins.
        InputError: for a name twice.
        NotInstalledError: for a library that is missing.
        PluginError: for a name that two distributions provide.
    """
    if len(set(names)) < len(names):
        raise InputError(f"training.loggers: expected each logger once, got {list(names)}")
    for name in names:
        _maker(name)
        if name in LIBRARIES and importlib.util.find_spec(name) is None:
            raise NotInstalledError(_missing(name))


def make_loggers(config: Mapping[str, Any], names: Sequence[str], run_dir: Path) -> list[Logger]:
    """The Lightning loggers of a run; all but the first two of stnkit's own get its config.

    Args:
        config: of the run, as plain values; plugins get a copy.
        names: as `training.loggers` has them.
        run_dir: of the run.

    Raises:
        NotInstalledError: when the library of a logger is not installed.
        InputError: when it refuses to log.
        PluginError: when a plugin raises, or gives something other than a Lightning logger.
    """
    return [_made(name, config, run_dir) for name in names]


def _made(name: str, config: Mapping[str, Any], run_dir: Path) -> Logger:
    make, source = _maker(name)
    whose = f"the logger {name!r} of {source}" if source else f"training.loggers: {name}"
    kind = PluginError if source else InputError
    try:
        logger = make(_copied(config), run_dir)
        if not isinstance(logger, Logger):
            raise TypeError(f"expected a Lightning logger, got {logger!r}")
        if name not in WITHOUT_CONFIG:
            logger.log_hyperparams(_copied(config))
    except ModuleNotFoundError as error:
        if source:
            raise PluginError(f"{whose} cannot be used: {one_line(error)}") from error
        raise NotInstalledError(_missing(name)) from error
    except Exception as error:
        raise kind(f"{whose} cannot be used: {one_line(error)}") from error
    return logger


def _missing(name: str) -> str:
    return f"training.loggers: {name} is not installed: pip install 'stnkit[{name}]'"


def _maker(name: str) -> tuple[MakeLogger, str]:
    """The function that makes a logger, and its source; stnkit's own have none."""
    if name in OWN_LOGGERS:
        return _OWN[name], ""
    make, source = plugin_registry().logger(name)
    return make, str(source)


def _copied(config: Mapping[str, Any]) -> dict[str, Any]:
    return copy.deepcopy(dict(config))


def _version(name: str, run_dir: Path) -> str:
    # A resumed run gets a folder of its own, since Lightning deletes the logs of the first part.
    resumed = (f"{name}-resumed-{i}" for i in itertools.count(1))
    return next(version for version in itertools.chain([name], resumed) if not (run_dir / version).exists())


def _csv(config: dict[str, Any], run_dir: Path) -> Logger:
    return CSVLogger(run_dir, name="", version=_version("csv", run_dir))


def _tensorboard(config: dict[str, Any], run_dir: Path) -> Logger:
    return TensorBoardLogger(run_dir, name="", version=_version("tensorboard", run_dir))


def _wandb(config: dict[str, Any], run_dir: Path) -> Logger:
    import wandb

    wandb.finish()  # the run of an earlier job of this process, or this one would be logged there
    return WandbLogger(project=os.environ.get("WANDB_PROJECT", PROJECT), name=run_dir.name, save_dir=run_dir)


def _mlflow(config: dict[str, Any], run_dir: Path) -> Logger:
    return MLFlowLogger(
        experiment_name=os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT),
        run_name=run_dir.name,
        tracking_uri=os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{run_dir / 'mlflow.db'}",
    )


_OWN: dict[str, MakeLogger] = {"csv": _csv, "tensorboard": _tensorboard, "wandb": _wandb, "mlflow": _mlflow}
