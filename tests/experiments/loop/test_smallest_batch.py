import re

import numpy as np
import pytest
import torch
from torch import nn

import stnkit
from stnkit.errors import InputError
from stnkit.experiments.data.data_module import DistortedData
from stnkit.experiments.loop.smallest_batch import check_smallest_batch
from stnkit.experiments.loop.task import ObjectiveTask
from stnkit.experiments.placement import build_network
from stnkit.experiments.schema import EquivarianceConfig, TrainingConfig
from tests.helpers import COMPONENTS, metrics

SHAPE = (1, 20, 20)  # of which compact_cnn leaves 1×1
REASON = "ValueError: Expected more than 1 value per channel when training, got input size torch.Size([1, 128, 1, 1])"
OFF = EquivarianceConfig(weight=0.0)


class Few(stnkit.Dataset):
    n_classes = 3
    image_shape = SHAPE

    def __init__(self, n):
        self.n = n

    def split(self, name):
        return torch.zeros(self.n, *SHAPE, dtype=torch.uint8), torch.arange(self.n) % 3


class Normalized(stnkit.Localizer):
    """Plain batch-norm of its only feature, behind dropout."""

    n_features = 1

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Dropout(), nn.BatchNorm1d(1))

    def features(self, image):
        return self.layers(image.mean(dim=(1, 2, 3))[:, None])


def run(n, batch_size, network="compact_cnn", equivariance=OFF, localizer=None):
    data = DistortedData(Few(n), stnkit.build("distortion", "rotation", image_shape=SHAPE), batch_size, 0)
    built = build_network(COMPONENTS | {"network": {"name": network}}, ["input"], SHAPE, 3)
    if localizer is not None:
        built.transformer = stnkit.SpatialTransformer(localizer, built.transformer.family, built.transformer.sampler)
    training = TrainingConfig(batch_size=batch_size, equivariance=equivariance)
    objective = stnkit.build("objective", "classification", n_classes=3)
    return ObjectiveTask(objective, built, training, 0, data.distortion), data


@pytest.mark.parametrize(
    ("batch_size", "got"),
    [(32, "1 in the last one of the 33 images"), (16, "1 in the last one of the 33 images"), (1, "1")],
)
def test_one_image_without_a_variance_is_refused(batch_size, got):
    sentence = (
        "training.batch_size: expected at least 2 images in every batch, since the network cannot be trained on one, "
        f"got {got}: {REASON}"
    )
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
        check_smallest_batch(*run(33, batch_size), 1)


@pytest.mark.parametrize(("n", "batch_size"), [(33, 31), (32, 16), (33, 64), (2, 64)])
def test_batches_of_two_images_are_accepted(n, batch_size):
    check_smallest_batch(*run(n, batch_size), 1)


def test_a_network_that_takes_one_image_is_accepted():
    check_smallest_batch(*run(33, 32, network="paper_fcn"), 1)


@pytest.mark.parametrize(("batch_size", "got"), [(30, 3), (31, 2)])
def test_the_smallest_share_of_a_process_counts(batch_size, got):
    with pytest.raises(InputError, match=f"for each of the 2 processes .*, got {got} in the last one"):
        check_smallest_batch(*run(33, batch_size), 2)
    check_smallest_batch(*run(33, 29), 2)


def test_a_network_that_no_batch_fits_is_not_laid_to_it():
    task, data = run(33, 32)
    task.network.network = nn.Sequential(nn.AvgPool2d(20), nn.InstanceNorm2d(1), nn.Flatten())
    check_smallest_batch(task, data, 1)


def test_with_warped_images_beside_it_no_image_is_alone():
    weighted = EquivarianceConfig(weight=1.0, augment=True, common_pose=0.0)
    check_smallest_batch(*run(33, 32, equivariance=weighted), 1)


def test_the_second_distortion_of_one_image_is_alone():
    weighted = EquivarianceConfig(weight=1.0, augment=True, common_pose=1.0)
    check_smallest_batch(*run(33, 32, equivariance=weighted), 1)
    with pytest.raises(InputError, match=r"got input size torch\.Size\(\[1, 1\]\)"):
        check_smallest_batch(*run(33, 32, equivariance=weighted, localizer=Normalized()), 1)


def test_it_leaves_statistics_and_random_state_alone():
    # Of its four batch-norms those in front of the last one see larger maps, and would count one image.
    task, data = run(33, 32)
    task.network.network = nn.Sequential(nn.Dropout(), task.network.network)
    before = {name: value.clone() for name, value in task.state_dict().items()}
    state = torch.get_rng_state()
    with pytest.raises(InputError):
        check_smallest_batch(task, data, 1)
    assert torch.equal(torch.get_rng_state(), state)
    for name, value in task.state_dict().items():
        assert torch.equal(value, before[name]), name


@pytest.mark.training
def test_a_run_and_its_dry_run_are_refused_in_one_sentence(stnkit_main, tmp_path):
    for split, n in (("train", 33), ("validation", 4), ("test", 4)):
        np.save(tmp_path / f"{split}_x.npy", np.random.default_rng(0).integers(0, 256, (n, *SHAPE), dtype=np.uint8))
        np.save(tmp_path / f"{split}_y.npy", np.arange(n) % 3)
    data = ("dataset=arrays", "dataset.root=.", "dataset.images=SPLIT_x.npy", "dataset.targets=SPLIT_y.npy")
    options = (*data, "training.batch_size=16", "training.epochs=1", "hydra.run.dir=run")
    for more in ("dry_run=true", "dry_run=false"):
        code, _, err = stnkit_main("train", *options, more)
        assert code != 0
        assert err.strip().endswith(f"got 1 in the last one of the 33 images: {REASON}")
        assert len(err.strip().splitlines()) == 1
    assert metrics(tmp_path / "run")["status"] == "failed"
