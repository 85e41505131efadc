"""The pose that is left in validation: the figures of the test, over processes too, and nothing where there is none."""

import pytest
import torch

import stnkit
from stnkit.experiments.data.data_module import DistortedData
from stnkit.experiments.data.loaders import Shard
from stnkit.experiments.loop.validation_pose import FIGURES, validation_pose
from stnkit.experiments.placement import build_network
from stnkit.experiments.pose import pose_metrics
from tests.helpers import COMPONENTS, QUICK, metrics

DIGITS = stnkit.build("dataset", "digits")


def data_of(distortion, dataset=DIGITS):
    return DistortedData(dataset, stnkit.build("distortion", distortion, image_shape=dataset.image_shape), 64, 0)


def network_for(data, at=("input",), **components):
    torch.manual_seed(0)
    network = build_network(COMPONENTS | components, list(at), data.in_shape, data.dataset.n_classes)
    for transformer in network.transformers().values():
        torch.nn.init.normal_(transformer.head.weight, std=0.05)
    return network.eval()


@torch.no_grad()
def filled(network, data):
    pose = validation_pose(network, data)
    for batch in data.fixed("validation"):
        pose.add(network.transformer.localize(batch.images), batch.theta)
    return pose


@pytest.mark.slow
@pytest.mark.parametrize("distortion", ["rotation", "rts", "elastic", "translated_cluttered"])
def test_the_figures_are_those_that_the_test_has(distortion, monkeypatch):
    data = data_of(distortion)
    network = network_for(data)
    figures = filled(network, data).figures(lambda numbers: numbers)
    loader = data.fixed("validation")
    monkeypatch.setattr(data, "fixed", lambda split: loader)
    monkeypatch.setattr(data, "has_labels", lambda split: True)
    of_test = pose_metrics(network, data)
    assert figures == pytest.approx({name: of_test[name] for name in FIGURES}, rel=1e-9, abs=1e-9)


def test_two_processes_have_the_figures_of_one(monkeypatch):
    data = data_of("rts")
    network, numbers = network_for(data), []
    whole = filled(network, data).figures(lambda own: numbers.append(own.clone()) or own)
    for rank in (0, 1):
        monkeypatch.setattr(DistortedData, "shard", Shard(rank, 2))
        filled(network, data_of("rts")).figures(lambda own: numbers.append(own.clone()) or own)
    together, first, second = numbers
    torch.testing.assert_close(first + second, together)
    assert first.any()
    assert second.any()
    assert set(whole) == set(FIGURES)


def test_a_process_without_an_image_adds_nothing():
    data = data_of("rotation")
    pose = validation_pose(network_for(data), data)
    assert pose.figures(lambda numbers: numbers) == {}


def test_of_a_part_of_the_images_the_others_are_left_out():
    data = data_of("rotation")
    network = network_for(data)
    part, loader = validation_pose(network, data), data.fixed("validation")
    with torch.no_grad():
        for start in (0, 64):
            batch = loader.rows(slice(start, start + 64))
            part.add(network.transformer.localize(batch.images), batch.theta)
        few = DistortedData(DIGITS, data.distortion, 64, 0)
        few.fixed("validation").labels = loader.labels[:128]
        few.fixed("validation").theta = loader.theta[:128]
        whole = validation_pose(network, few)
        whole.add(network.transformer.localize(loader.rows(slice(0, 128)).images), loader.theta[:128])
    assert part.figures(lambda numbers: numbers) == pytest.approx(whole.figures(lambda numbers: numbers))


@pytest.mark.training
def test_a_dry_run_measures_a_part(stnkit_main):
    code, _, err = stnkit_main("train", *QUICK, "distortion=rotation", "training.batch_size=50", "dry_run=true")
    assert (code, err) == (0, "")


def test_an_epoch_begins_anew():
    data = data_of("rotation")
    network = network_for(data)
    pose = filled(network, data)
    first = pose.figures(lambda numbers: numbers)
    pose.reset()
    with torch.no_grad():
        for batch in data.fixed("validation"):
            pose.add(network.transformer.localize(batch.images), batch.theta)
    assert pose.figures(lambda numbers: numbers) == first


def test_maps_that_are_not_finite_have_no_figure():
    data = data_of("rotation")
    network = network_for(data)
    pose = validation_pose(network, data)
    for batch in data.fixed("validation"):
        pose.add(torch.full((len(batch.images), 6), torch.nan), batch.theta)
    assert pose.figures(lambda numbers: numbers) == {}


@pytest.mark.parametrize(
    ("distortion", "options"),
    [("none", {}), ("rotation", {"at": ()}), ("rotation", {"transform": {"name": "polar"}})],
)
def test_without_a_pose_to_remove_nothing_is_measured(distortion, options):
    data = data_of(distortion)
    assert validation_pose(network_for(data, **options), data) is None


@pytest.mark.training
def test_the_history_and_the_log_have_the_pose_of_every_epoch(stnkit_main, tmp_path):
    code, _, err = stnkit_main("train", *QUICK, "distortion=rotation", "hydra.run.dir=run")
    assert code == 0, err
    history = metrics(tmp_path / "run")["history"]
    assert all(0 < row["validation_rotation_residual"] < 60 for row in history)
    assert all(row["validation_corner_error_per_class"] > 0 for row in history)
    left = history[-1]["validation_corner_error_per_class"]
    assert f"  corners {left:.2f} px  " in (tmp_path / "run" / "train.log").read_text().splitlines()[-2]
    assert "validation_rotation_residual" in (tmp_path / "run" / "csv" / "metrics.csv").read_text().splitlines()[0]
