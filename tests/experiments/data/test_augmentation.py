import pytest
import torch
import torch.nn.functional as F

import stnkit
from stnkit.experiments.data.augmentation import Augmentation, build_augmentation
from stnkit.experiments.data.seeds import generator
from tests.experiments.data.sharded import digits_under, whole_and_shards
from tests.helpers import metrics

SHAPE = (1, 28, 28)
ELASTIC = {"name": "elastic", "std": 1.0, "scale": [1.0, 1.0]}


@pytest.fixture
def images():
    return torch.rand(6, *SHAPE, generator=torch.Generator().manual_seed(0))


def built(name, **options):
    return stnkit.build("distortion", name, image_shape=SHAPE, **options)


def homogeneous(rows):
    return torch.cat([rows.view(-1, 2, 3), torch.tensor([0.0, 0, 1]).expand(len(rows), 1, 3)], dim=1)


def test_an_original_is_read_once_through_both_maps(images):
    distortion, warp = built("rts", canvas=[40, 44]), built("rotation", degrees=20)
    theta = distortion.sample(6, torch.Generator().manual_seed(1))
    own = warp.sample(6, generator(7, "augmentation"))
    # A∘D of two affine maps is the product of their matrices.
    joined = (homogeneous(own) @ homogeneous(theta))[:, :2]
    grid = F.affine_grid(joined, [6, 1, 40, 44], align_corners=False)
    expected = F.grid_sample(images, grid, align_corners=False)
    got = Augmentation(warp).distorted(distortion, images, theta, 7)
    torch.testing.assert_close(got, expected, atol=1e-4, rtol=0)


def test_without_strength_the_images_are_those_of_the_distortion(images):
    distortion = built("rotation")
    theta = distortion.sample(6, torch.Generator().manual_seed(1))
    still = build_augmentation({"name": "elastic", "std": 0.0, "scale": [1.0, 1.0]}, SHAPE)
    expected = distortion.apply(images, theta, torch.Generator())
    torch.testing.assert_close(still.distorted(distortion, images, theta, 3), expected, atol=1e-4, rtol=0)


def test_clutter_is_drawn_over_originals_that_are_warped(images):
    distortion, augmentation = built("translated_cluttered"), build_augmentation(ELASTIC, SHAPE)
    theta = distortion.sample(6, torch.Generator().manual_seed(1))
    got = augmentation.distorted(distortion, images, theta, 5)
    own = augmentation.warp.sample(6, generator(5, "augmentation"))
    warped = augmentation.warp.apply(images, own, generator(5))
    torch.testing.assert_close(got, distortion.apply(warped, theta, generator(5)))
    assert not torch.allclose(got, distortion.apply(images, theta, generator(5)), atol=0.1)


@pytest.mark.parametrize("name", ["rotation", "translated_cluttered"])
def test_processes_augment_their_shards_as_one_does_the_batch(name):
    whole, shards = whole_and_shards(digits_under(name, build_augmentation(ELASTIC, SHAPE)))
    torch.testing.assert_close(torch.cat([shard.images for shard in shards]), whole.images)


def test_images_of_validation_and_test_are_not_augmented():
    plain, augmented = (
        digits_under("rotation", augmentation) for augmentation in (None, build_augmentation(ELASTIC, SHAPE))
    )
    for split in ("validation", "test"):
        assert torch.equal(plain.fixed(split).images[:4], augmented.fixed(split).images[:4])


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("rts", "expected a distortion that warps images and keeps their size, such as elastic, got rts"),
        ("none", "expected a distortion that warps images and keeps their size, such as elastic, got none"),
        ({"name": "elastic", "sd": 1}, "distortion 'elastic' has no option 'sd'"),
        ("elastik", "no distortion 'elastik'"),
        (3, "expected a name, a mapping or null, got 3"),
    ],
)
def test_what_does_not_warp_images_of_one_size_is_refused(option, message):
    with pytest.raises(stnkit.errors.InputError, match=f"^training.augmentation: .*{message}"):
        build_augmentation(option, SHAPE)


@pytest.mark.training
def test_a_run_trains_on_augmented_images(stnkit_main, tmp_path):
    quick = ("training.epochs=1", "training.progress=false", "training.batch_size=400", "distortion=rotation")
    assert stnkit_main("train", *quick, "hydra.run.dir=plain")[0] == 0
    option = "training.augmentation={name:elastic,std:2,scale:[1,1]}"
    code, _, err = stnkit_main("train", *quick, option, "hydra.run.dir=augmented")
    assert code == 0, err
    plain, augmented = metrics(tmp_path / "plain"), metrics(tmp_path / "augmented")
    assert plain["history"][0]["train_loss"] != augmented["history"][0]["train_loss"]
    assert plain["rotation_residual_identity"] == augmented["rotation_residual_identity"]
