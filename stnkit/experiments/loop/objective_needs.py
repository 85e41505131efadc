"""Checks that an objective gets what it needs of data and network, before any data is loaded."""

from collections.abc import Mapping
from typing import Any

from stnkit.datasets import Dataset
from stnkit.distortions import Distortion, gives_true_theta
from stnkit.errors import InputError
from stnkit.experiments.data.checks import check_classes
from stnkit.experiments.data.recorded import difference_of_classes
from stnkit.experiments.loop.objective_returns import checked_outputs
from stnkit.experiments.placement import TransformedNetwork, input_described, input_transformer
from stnkit.experiments.run_directory.job_identity import ADDED
from stnkit.objective_outputs import outputs_of
from stnkit.objectives import NEEDS, Objective
from stnkit.plugin_system import build, name_and_options, parameters_of, plugin_registry


def build_objective(config: Mapping[str, Any], dataset: Dataset, in_shape: tuple[int, ...]) -> Objective:
    """The objective of a config.

    Args:
        config: of the run, as plain values; one of an earlier version has no objective.
        dataset: of the run.
        in_shape: (C, *size) of the distorted images.
    """
    classes = {"n_classes": dataset.n_classes} if dataset.n_classes else {}
    objective: Objective = build("objective", _chosen(config), in_shape=in_shape, **classes)
    return objective


def check_data_needs(config: Mapping[str, Any], objective: Objective, dataset: Dataset, distortion: Distortion) -> None:
    """Check what the objective needs of the data, and that pairs have the placement for pairs.

    Args:
        config: of the run, as plain values.
        objective: of the run.
        dataset: built; nothing is read if it has classes or the objective needs no labels.
        distortion: of the images.

    Raises:
        InputError: when the data or the placement do not fit.
        DataError: when targets are no labels.
    """
    name, placement = objective_name(config), config["placement"]
    pair = bool(placement.get("pair"))
    if "pair" in objective.needs and not dataset.pair:
        raise InputError(f"{_expected(name, 'pair')}, such as dataset=pairs, got dataset={_name(config, 'dataset')}")
    if "pair" in objective.needs and not pair:
        raise InputError(f"objective={name}: expected placement=pair, got placement.at={list(placement['at'])}")
    if pair and not dataset.pair:
        raise InputError(
            f"placement.pair: expected {NEEDS['pair']}, such as dataset=pairs, got dataset={_name(config, 'dataset')}"
        )
    if distortion.between_pair and not dataset.pair:
        raise InputError(
            f"distortion={_name(config, 'distortion')}: expected {NEEDS['pair']}, such as dataset=pairs, got "
            f"dataset={_name(config, 'dataset')}"
        )
    if "labels" in objective.needs:
        check_classes(dataset, name)
    if "true_theta" in objective.needs and not gives_true_theta(distortion, pair=pair):
        raise InputError(f"{_expected(name, 'true_theta')}, got distortion={_name(config, 'distortion')}")
    outputs, network = checked_outputs(objective, outputs_of(objective, dataset)), _name(config, "network")
    gives_image = plugin_registry().component("network", network).cls.gives_image
    if outputs is None and not gives_image:
        raise InputError(
            f"objective={name}: expected network=none, got network={network}: it uses the straightened image alone"
        )
    if outputs is not None and gives_image:
        raise InputError(f"objective={name}: expected a network of {outputs} outputs, got network={network}")


def uses_classes(config: Mapping[str, Any], objective: Objective, dataset: Dataset) -> bool:
    """True if a trained network is of use for the classes of its training alone.

    It is where the objective needs labels, or has outputs of a network and takes the number of classes.

    Args:
        config: of the run, as plain values.
        objective: of the run.
        dataset: of the run.
    """
    if "labels" in objective.needs:
        return True
    component = plugin_registry().component("objective", objective_name(config))
    takes = any(parameter.name == "n_classes" for parameter in parameters_of(component))
    return takes and objective.n_outputs(dataset) is not None


def check_same_outputs(config: Mapping[str, Any], objective: Objective, trained: Dataset, dataset: Dataset) -> None:
    """Check that a dataset has the classes and asks for the outputs of a trained network.

    Args:
        config: of the run, as plain values.
        objective: of the run.
        trained: the dataset of the run.
        dataset: another one, for the trained network.

    Raises:
        InputError: for other classes, or another number of outputs.
    """
    if uses_classes(config, objective, trained) and (
        told := difference_of_classes(trained.n_classes, trained.class_names, dataset)
    ):
        raise InputError(told)
    outputs, wanted = (checked_outputs(objective, outputs_of(objective, data)) for data in (trained, dataset))
    if outputs != wanted:
        shape = "" if dataset.target_shape is None else f", with targets of shape {list(dataset.target_shape)}"
        raise InputError(
            f"objective={objective_name(config)}: expected a dataset of {outputs} outputs, as the network has, "
            f"got one of {wanted}{shape}"
        )


def check_network_needs(config: Mapping[str, Any], objective: Objective, network: TransformedNetwork) -> None:
    """Check what the objective needs of the network.

    Args:
        config: of the run, as plain values.
        objective: of the run.
        network: with its transformers.

    Raises:
        InputError: when it has no single transformer at the input, and the objective needs one.
    """
    if "transformer" in objective.needs and input_transformer(network) is None:
        at = list(config["placement"]["at"])
        got = f"placement.at={at}" if network.transformer is None else input_described(network)
        raise InputError(f"{_expected(objective_name(config), 'transformer')}, got {got}")


def objective_name(config: Mapping[str, Any]) -> str:
    """The name of the objective of a config; one of an earlier version has classification.

    Args:
        config: of a run, as plain values.
    """
    return str(_chosen(config)["name"])


def _chosen(config: Mapping[str, Any]) -> Mapping[str, Any]:
    chosen: Mapping[str, Any] = config.get("objective") or ADDED["objective"]
    return chosen


def _expected(objective: str, need: str) -> str:
    return f"objective={objective}: expected {NEEDS[need]}"


def _name(config: Mapping[str, Any], kind: str) -> str:
    return name_and_options(kind, config[kind])[0]
