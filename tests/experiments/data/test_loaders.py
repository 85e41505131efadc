import pytest
import torch

import stnkit
from stnkit.experiments.data.data_module import DistortedData
from stnkit.experiments.data.loaders import Shard, TrainLoader
from stnkit.experiments.data.rows import as_float
from stnkit.experiments.data.seeds import derived_seed


@pytest.fixture
def distortion():
    return stnkit.build("distortion", "rotation", image_shape=(1, 8, 8))


def loader(distortion, seed=0, epoch=0, batch_size=4):
    images = torch.arange(10).to(torch.uint8)[:, None, None, None].expand(10, 1, 8, 8).contiguous()
    return TrainLoader(images, torch.arange(10), distortion, batch_size, seed, epoch=lambda: epoch)


def test_every_image_comes_once_in_an_epoch_with_its_own_label(distortion):
    batches = list(loader(distortion))
    assert [len(b.labels) for b in batches] == [4, 4, 2]
    labels = torch.cat([b.labels for b in batches])
    assert sorted(labels.tolist()) == list(range(10))
    assert torch.equal(torch.cat([b.images for b in batches])[:, 0, 0, 0].long(), labels)


def test_draws_are_fresh_in_every_epoch_and_follow_from_the_seed(distortion):
    first, second = next(iter(loader(distortion, epoch=0))), next(iter(loader(distortion, epoch=1)))
    assert not torch.equal(first.theta, second.theta)
    assert not torch.equal(first.labels, second.labels)
    assert first.seed != second.seed
    again, other = next(iter(loader(distortion))), next(iter(loader(distortion, seed=1)))
    assert torch.equal(first.theta, again.theta)
    assert torch.equal(first.labels, again.labels)
    assert not torch.equal(first.theta, other.theta)


def test_a_loader_goes_on_where_its_state_was_taken(distortion):
    running = loader(distortion, epoch=3)
    batches = iter(running)
    next(batches)
    resumed = loader(distortion, epoch=3)
    resumed.load_state_dict(running.state_dict())
    for expected, got in zip(batches, resumed, strict=True):
        assert torch.equal(expected.theta, got.theta)
        assert torch.equal(expected.labels, got.labels)
        assert expected.seed == got.seed


def test_a_state_of_an_earlier_epoch_leaves_a_new_one_whole(distortion):
    resumed = loader(distortion, epoch=4)
    resumed.load_state_dict({"epoch": 3, "index": 2})
    assert len(list(resumed)) == 3


def test_an_epoch_can_be_read_twice(distortion):
    twice = loader(distortion)
    assert [len(list(twice)), len(list(twice))] == [3, 3]


def test_training_batches_are_distorted_by_their_theta(distortion):
    data = DistortedData(stnkit.build("dataset", "digits"), distortion, 4, 0)
    drawn = next(iter(loader(distortion)))
    batch = data.on_after_batch_transfer(drawn, 0)
    expected = distortion.apply(as_float(drawn.images), drawn.theta, torch.Generator())
    torch.testing.assert_close(batch.images, expected)
    assert batch.images.max() <= 1


def test_seeds_differ_for_different_keys_and_repeat_for_equal():
    seeds = {derived_seed(0, "train", i, j) for i in range(30) for j in range(30)}
    assert len(seeds) == 900
    assert derived_seed(1, "a") == derived_seed(1, "a") != derived_seed(1, "b")


@pytest.mark.parametrize("world", [1, 2, 3])
@pytest.mark.parametrize("n", [6, 7, 173])
def test_shards_cover_a_batch_and_have_its_weighted_mean(world, n):
    values = torch.rand(n, dtype=torch.float64)
    shards = [Shard(rank, world) for rank in range(world)]
    assert torch.equal(torch.cat([values[shard.of(n)] for shard in shards]), values)
    means = [shard.weight(n) * values[shard.of(n)].mean() for shard in shards]
    torch.testing.assert_close(sum(means) / world, values.mean())


@pytest.mark.parametrize("name", ["rotation", "translated_cluttered"])
def test_shards_are_distorted_as_in_one_process(name):
    dataset = stnkit.build("dataset", "digits")
    data = DistortedData(dataset, stnkit.build("distortion", name, image_shape=dataset.image_shape), 7, 0)
    images, labels = data.split("train")

    def batch_of(shard):
        drawn = next(iter(TrainLoader(images, labels, data.distortion, 7, 0, lambda: 0, shard)))
        # Where θ is all of the distortion, a process reads its own images alone.
        assert len(drawn.images) == (7 if name == "translated_cluttered" else shard.of(7).stop - shard.of(7).start)
        return data.on_after_batch_transfer(drawn, 0)

    whole, batches = batch_of(Shard()), [batch_of(Shard(rank, 2)) for rank in range(2)]
    for field in ("images", "labels", "theta"):
        assert torch.equal(torch.cat([getattr(batch, field) for batch in batches]), getattr(whole, field))
    assert [batch.weight for batch in batches] == [pytest.approx(6 / 7), pytest.approx(8 / 7)]
