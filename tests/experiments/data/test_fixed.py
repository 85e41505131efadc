"""Validation and test images: drawn from the split and the index alone, and never all in memory."""

import pytest
import torch

import stnkit
from stnkit.experiments.data.fixed import CHUNK, CHUNK_BYTES, FixedLoader, chunk_length
from stnkit.experiments.data.loaders import Distorted, Shard
from stnkit.experiments.data.rows import as_float
from stnkit.experiments.data.seeds import generator


@pytest.fixture
def distortion():
    return stnkit.build("distortion", "rotation", image_shape=(1, 8, 8))


def fixed(distortion, batch_size, split="test", n=30, shape=(1, 8, 8), **options):
    draws = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (n, *shape), dtype=torch.uint8, generator=draws)
    return FixedLoader(images, torch.arange(n), distortion, batch_size, split, torch.device("cpu"), **options)


def joined(loader):
    return Distorted(*(torch.cat(tensors) for tensors in [*zip(*loader, strict=True)][:3]))


def test_fixed_images_do_not_depend_on_the_batch_size(distortion):
    small, large = joined(fixed(distortion, 4)), next(iter(fixed(distortion, 30)))
    assert torch.equal(small.images, large.images)
    assert torch.equal(small.labels, large.labels)
    assert not torch.equal(fixed(distortion, 30, "validation").theta, large.theta)


def test_a_fixed_image_is_its_original_under_its_theta(distortion):
    loader = fixed(distortion, 7)
    grid = distortion.family.grid(loader.theta, distortion.out_size)
    expected = stnkit.build("sampler", "bilinear")(as_float(loader.originals), grid)
    torch.testing.assert_close(loader.images[:], expected)


@pytest.mark.parametrize("name", ["rts", "elastic", "translated_cluttered"])
def test_digits_are_distorted_in_chunks_of_1024_as_ever(name):
    distortion = stnkit.build("distortion", name, image_shape=(1, 28, 28))
    loader = fixed(distortion, 100, n=1100, shape=(1, 28, 28))
    theta = distortion.sample(1100, generator("fixed", "test"))
    expected = [
        distortion.apply(loader.originals[rows] / 255, theta[rows], generator("fixed", "test", i))
        for i, rows in enumerate((slice(0, 1024), slice(1024, 1100)))
    ]
    assert torch.equal(joined(loader).images, torch.cat(expected))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["elastic", "translated_cluttered"])
def test_large_images_are_the_same_in_every_batch_and_shard(name):
    options = {"canvas": (110, 90)} if name == "translated_cluttered" else {}
    distortion = stnkit.build("distortion", name, image_shape=(3, 60, 80), **options)
    given = {"n": 700, "shape": (3, 60, 80)}
    whole = joined(fixed(distortion, 700, **given)).images
    assert torch.equal(joined(fixed(distortion, 64, **given)).images, whole)
    shards = [joined(fixed(distortion, 50, shard=Shard(rank, 2), **given)).images for rank in range(2)]
    assert torch.equal(torch.cat(shards), whole)


def test_rows_are_those_of_the_whole_split_in_any_order(distortion):
    loader = fixed(distortion, 7, n=2100)
    whole = joined(loader)
    index = torch.tensor([2050, 3, 1023, 1024, 3])
    for chosen in (index, index.tolist()):
        rows = loader.rows(chosen)
        for field in ("images", "labels", "theta"):
            assert torch.equal(getattr(rows, field), getattr(whole, field)[index])
    assert torch.equal(loader.images[1020:1030], whole.images[1020:1030])
    assert torch.equal(loader.images[-1], whole.images[-1])
    assert loader.images.shape == whole.images.shape
    assert len(loader.images) == 2100
    assert torch.equal(torch.cat([*loader.images.chunks()]), whole.images)
    assert torch.equal(torch.stack([*fixed(distortion, 7).images]), fixed(distortion, 7).images[:])


def test_the_length_of_a_chunk_is_bounded_in_bytes():
    assert chunk_length((1, 28, 28), (1, 60, 60)) == chunk_length((1, 28, 28)) == CHUNK
    for shape in ((3, 96, 96), (3, 224, 224), (1, 64, 64, 64)):
        n = chunk_length(shape, (1, 2, 2))
        assert n == chunk_length((1, 2, 2), shape)
        assert n * 4 * torch.Size(shape).numel() <= CHUNK_BYTES < (n + 1) * 4 * torch.Size(shape).numel()
    assert chunk_length((3, 4000, 4000)) == 1


def test_one_chunk_at_most_is_in_memory(distortion, monkeypatch):
    alive = []

    class Counting(stnkit.Distortion):
        family, out_size, sample = distortion.family, (8, 8), distortion.sample

        def apply(self, images, theta, generator):
            assert len(images) <= CHUNK
            alive.append(len(images))
            return images

    loader = fixed(Counting(), 64, n=3000)
    assert sum(len(batch.labels) for batch in loader) == 3000
    assert alive == [1024, 1024, 952]


@pytest.mark.parametrize(("n", "batch_size"), [(30, 4), (31, 8), (5, 4)])
def test_shards_cover_a_fixed_split_in_equally_many_batches(n, batch_size, distortion):
    loaders = [fixed(distortion, batch_size, n=n, shard=Shard(rank, 2)) for rank in range(2)]
    batches = [[batch.labels for batch in loader] for loader in loaders]
    assert len(batches[0]) == len(batches[1]) == len(loaders[0])
    assert torch.equal(torch.cat([*batches[0], *batches[1]]), torch.arange(n))
    assert all(1 <= len(labels) <= batch_size for shard in batches for labels in shard)


def test_a_change_of_images_that_were_read_is_not_kept():
    images, labels = stnkit.build("dataset", "digits").split("test")
    none = stnkit.build("distortion", "none", image_shape=(1, 28, 28))
    floats = images.float() / 255
    test = FixedLoader(floats, labels, none, 64, "test", torch.device("cpu"))
    for read in (test.images[:4], test.rows(slice(0, 4)).images, next(iter(test)).images):
        read.zero_()
        assert torch.equal(test.images[:4], floats[:4])
        assert floats[:4].sum() > 0
