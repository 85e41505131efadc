"""`stnkit train`: a Hydra program. Groups select the parts, `-m` sweeps over them."""

import os
import sys
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from stnkit.configs import register_component_groups
from stnkit.errors import InputError
from stnkit.experiments import directories
from stnkit.experiments.schema import register_schema


def main(arguments: list[str]) -> int:
    """Compose the config and train, once or (with -m) for every cell of a sweep.

    Args:
        arguments: what stands after the verb, for Hydra.
    """
    register_schema()
    register_component_groups()
    directories.register_resolvers()
    # Otherwise Hydra prints its own hint at a traceback and exits; what it raises is for us to say.
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    sys.argv = [sys.argv[0], *arguments]
    try:
        _program()
    except (HydraException, OmegaConfBaseException) as error:
        raise InputError(_sentence(error)) from error
    return _ended.exit_code


class _Ended:
    """How the last job of this process ended."""

    exit_code = 0


_ended = _Ended()


@hydra.main(version_base="1.3", config_path="pkg://stnkit.conf", config_name="train")
def _program(config: DictConfig) -> float | None:
    run_dir = Path(HydraConfig.get().runtime.output_dir)
    return _run(config, run_dir)


def _run(config: DictConfig, run_dir: Path) -> float | None:
    from stnkit.experiments.callbacks import Interrupted
    from stnkit.experiments.run import train

    plain: Any = OmegaConf.to_container(config, resolve=True, enum_to_str=True)
    if plain["resume"] is not None:
        plain = directories.config_to_resume(plain, list(HydraConfig.get().overrides.task))
    else:
        directories.save_config(plain, run_dir)
    try:
        metrics = train(plain, directories.typed_training(plain["training"]), run_dir)
    except Interrupted as interruption:
        print(f"\n{interruption}: `stnkit train resume={run_dir}` goes on from here", file=sys.stderr)
        _ended.exit_code = 128 + interruption.signal_number
        return None
    print(f"test error  {metrics['test_error']:.2f} %")
    print(f"metrics     {run_dir / 'metrics.json'}")
    print(f"checkpoint  {metrics['checkpoint']}")
    if "picture" in metrics:
        print(f"picture     {metrics['picture']}  (test images before and after the transformer)")
    error: float = metrics["test_error"]
    return error


def _sentence(error: BaseException) -> str:
    return " ".join(line.strip() for line in str(error).splitlines() if line.strip())
