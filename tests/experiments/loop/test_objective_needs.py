"""An objective that does not get what it needs is one sentence, before any data is loaded."""

from pathlib import Path

import pytest
import torch

import stnkit
from stnkit.experiments.loop.objective_needs import (
    build_objective,
    check_data_needs,
    check_network_needs,
    check_same_outputs,
)
from stnkit.experiments.placement import build_network
from stnkit.objectives import Figure
from tests.helpers import COMPONENTS, metrics


class Unread(stnkit.Dataset):
    """A dataset that must not be read."""

    n_classes, image_shape = 10, (2, 12, 12)

    def __init__(self, pair=False, target_shape=None, n_classes=10):
        self.pair, self.target_shape, self.n_classes = pair, target_shape, n_classes

    def split(self, name):
        raise AssertionError("read")


class Needy(stnkit.Objective):
    figures = {"figure": Figure()}  # noqa: RUF012

    def __init__(self, needs=(), outputs=10):
        super().__init__()
        self.needs, self.outputs = needs, outputs

    def n_outputs(self, dataset):
        return self.outputs

    def losses(self, batch):
        return {"loss": batch.output.mean()}

    def measure(self, batch):
        return {"figure": batch.output.flatten(1).mean(dim=1)}


def config(network="paper_fcn", pair=False, at=("input",), parallel=1):
    return {
        "objective": {"name": "needy"},
        "dataset": {"name": "unread"},
        "distortion": {"name": "independent_channels"},
        "network": {"name": network},
        "placement": {"at": list(at), "parallel": parallel, "pair": pair},
    }


def distortion(name="independent_channels"):
    return stnkit.build("distortion", name, image_shape=(2, 12, 12))


@pytest.mark.parametrize(
    ("options", "objective", "dataset", "message"),
    [
        (
            {"pair": True},
            {"needs": ("pair",)},
            {},
            "objective=needy: expected pairs of images, moving and fixed, such as dataset=pairs, got dataset=unread",
        ),
        (
            {},
            {"needs": ("pair",)},
            {"pair": True},
            "objective=needy: expected placement=pair, got placement.at=['input']",
        ),
        (
            {"pair": True},
            {},
            {},
            "placement.pair: expected pairs of images, moving and fixed, such as dataset=pairs, got dataset=unread",
        ),
        (
            {},
            {"needs": ("labels",)},
            {"target_shape": (5,)},
            "objective=needy: expected labels, one for each image, got targets of shape [5] from Unread",
        ),
        (
            {},
            {"needs": ("true_theta",)},
            {},
            "objective=needy: expected a distortion whose theta describes it, got distortion=independent_channels",
        ),
        (
            {"network": "none"},
            {},
            {},
            "objective=needy: expected a network of 10 outputs, got network=none",
        ),
        (
            {},
            {"outputs": None},
            {},
            "objective=needy: expected network=none, got network=paper_fcn: it uses the straightened image alone",
        ),
    ],
)
def test_what_is_missing_in_the_data_is_said(options, objective, dataset, message):
    with pytest.raises(stnkit.errors.InputError) as raised:
        check_data_needs(config(**options), Needy(**objective), Unread(**dataset), distortion())
    assert str(raised.value) == message


def test_a_distortion_between_pairs_without_pairs_is_said():
    chosen = config() | {"distortion": {"name": "pair"}}
    message = "distortion=pair: expected pairs of images, moving and fixed, such as dataset=pairs, got dataset=unread"
    with pytest.raises(stnkit.errors.InputError) as raised:
        check_data_needs(chosen, Needy(), Unread(), distortion("pair"))
    assert str(raised.value) == message
    check_data_needs(chosen, Needy(), Unread(pair=True), distortion("pair"))


def test_what_fits_is_taken_and_nothing_is_read():
    check_data_needs(config(), Needy(("labels",)), Unread(), distortion())
    check_data_needs(config(), Needy(("true_theta",)), Unread(), distortion("rotation"))
    check_data_needs(config("none", pair=True), Needy(("pair",), None), Unread(pair=True), distortion())


@pytest.mark.parametrize("name", ["pose", "registration", "alignment"])
def test_other_classes_and_targets_are_taken_where_unused(name):
    chosen = {"objective": {"name": name}}
    trained, other = Unread(), Unread(target_shape=(4, 2), n_classes=3)
    check_same_outputs(chosen, build_objective(chosen, trained, (2, 12, 12)), trained, other)


@pytest.mark.parametrize("name", ["classification", "colocalization", "sequence"])
def test_other_classes_are_refused_where_they_are_used(name):
    chosen = {"objective": {"name": name}}
    trained, other = Unread(target_shape=()), Unread(target_shape=(), n_classes=9)
    objective = build_objective(chosen, trained, (2, 12, 12))
    check_same_outputs(chosen, objective, trained, trained)
    with pytest.raises(stnkit.errors.InputError, match=r"^expected a dataset of 10 classes, as the run was trained"):
        check_same_outputs(chosen, objective, trained, other)


def test_another_number_of_outputs_is_told():
    chosen = {"objective": {"name": "sequence"}}
    trained, same, other = (Unread(target_shape=shape) for shape in ((1,), (), (3,)))
    objective = build_objective(chosen, trained, (2, 12, 12))
    check_same_outputs(chosen, objective, trained, same)
    with pytest.raises(stnkit.errors.InputError) as raised:
        check_same_outputs(chosen, objective, trained, other)
    assert str(raised.value) == (
        "objective=sequence: expected a dataset of 11 outputs, as the network has, got one of 33, with targets of "
        "shape [3]"
    )


@pytest.mark.parametrize(
    ("at", "parallel", "got"), [([], 1, "placement.at=[]"), (["input"], 2, "2 in parallel")], ids=["none", "parallel"]
)
def test_a_missing_transformer_is_said(at, parallel, got):
    network = build_network(COMPONENTS, at, (2, 12, 12), 10, parallel)
    message = f"objective=needy: expected one spatial transformer at the input, got {got}"
    with pytest.raises(stnkit.errors.InputError) as raised:
        check_network_needs(config(at=at, parallel=parallel), Needy(("transformer",)), network)
    assert str(raised.value) == message
    check_network_needs(config(at=at, parallel=parallel), Needy(), network)


def test_transformers_of_one_point_alone_are_counted_too():
    network = build_network(COMPONENTS, ["input"], (2, 12, 12), 10, parts={"input": {"parallel": 3}})
    with pytest.raises(stnkit.errors.InputError, match=r"at the input, got 3 in parallel$"):
        check_network_needs(config(), Needy(("transformer",)), network)


def test_a_config_without_an_objective_is_one_of_classification():
    objective = build_objective({}, Unread(), (2, 12, 12))
    assert objective.primary == "error"
    assert objective.n_outputs(Unread()) == 10


def test_pairs_are_read_by_one_transformer_at_the_input():
    network = build_network(COMPONENTS | {"network": {"name": "none"}}, ["input"], (2, 12, 12), None, pair=True)
    assert network(torch.rand(3, 2, 12, 12)).shape == (3, 1, 12, 12)
    for at, parallel in ((["input"], 2), ([], 1)):
        with pytest.raises(stnkit.errors.InputError, match=r"^placement.pair: expected one transformer at the input"):
            build_network(COMPONENTS, at, (2, 12, 12), 10, parallel, pair=True)
    with pytest.raises(stnkit.errors.InputError, match=r"^placement.pair: expected pairs, an even number of channels"):
        build_network(COMPONENTS, ["input"], (3, 12, 12), 10, pair=True)


@pytest.mark.training
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["network=none"], "objective=classification: expected a network of 10 outputs, got network=none"),
        (
            ["placement=pair"],
            "placement.pair: expected pairs of images, moving and fixed, such as dataset=pairs, got dataset=digits",
        ),
        (
            ["sweep_objective=test_iou"],
            "sweep_objective: expected one of validation_loss, validation_error, test_loss, test_error, got test_iou",
        ),
        (["objective.label_smoothing=1"], "objective 'classification': label_smoothing: expected a number from 0 to"),
        (["objective.class_weights=[1,2]"], "objective 'classification': class_weights: expected a number of at least"),
    ],
)
def test_mistakes_are_one_sentence_of_the_command(words, message, stnkit_main, tmp_path):
    code, _, err = stnkit_main("train", *words, "hydra.run.dir=run")
    assert code == 2
    assert err.startswith(f"stnkit train: {message}")
    assert err.count("\n") == 1


@pytest.mark.training
def test_smoothed_and_weighted_labels_train_and_are_recorded(stnkit_main, tmp_path):
    words = ["network=paper_fcn", "network.hidden=[16]", "localizer=fully_connected", "training.batch_size=256"]
    weights = "objective.class_weights=[1,1,1,1,1,1,1,1,1,2]"
    words += ["training.epochs=1", "objective.label_smoothing=0.1", weights, "hydra.run.dir=run"]
    code, _, err = stnkit_main("train", *words)
    assert code == 0, err
    record = metrics(Path("run"))
    assert record["figures"] == {"error": {"unit": "%", "higher_is_better": False}}
    by_class = record["by_class"]
    assert sum(by_class["images"]) == 400
    mean = sum(n * error for n, error in zip(by_class["images"], by_class["error"], strict=True)) / 400
    assert mean == pytest.approx(record["test_error"])


def test_an_error_of_n_outputs_names_the_hook_and_the_targets():
    class FirstSide(Needy):
        def n_outputs(self, dataset):
            return dataset.target_shape[0]

    with pytest.raises(stnkit.errors.PluginError) as raised:
        check_data_needs(config(), FirstSide(), Unread(target_shape=()), distortion())
    assert str(raised.value).endswith(
        "FirstSide.n_outputs: expected a number or an InputError for targets of shape (), "
        "got IndexError: tuple index out of range"
    )
