"""`network=augmented`: augmentation in training alone, its draws, its gradient, and what it refuses."""

import pytest
import torch

import stnkit

SHAPE = (1, 28, 28)
FCN = {"name": "paper_fcn", "hidden": [8]}
IMAGES = torch.rand(6, *SHAPE, generator=torch.Generator().manual_seed(0))


def built(**options):
    torch.manual_seed(0)
    return stnkit.build("network", "augmented", **{"in_shape": SHAPE, "n_classes": 3, "inner": FCN} | options)


def test_training_images_are_warped_as_the_distortion_says():
    network, seen = built(distortion={"name": "rotation", "degrees": 20.0}).train(), []
    network.inner.register_forward_hook(lambda module, args, output: seen.append(args[0]))
    torch.manual_seed(3)
    network(IMAGES)
    torch.manual_seed(3)
    theta = network.distortion.sample(6, torch.Generator().manual_seed(int(torch.randint(2**62, ()))))
    assert torch.equal(seen[0], network.distortion.apply(IMAGES, theta, torch.Generator()))
    assert not torch.equal(seen[0], IMAGES)


def test_evaluation_shows_the_images_as_they_are():
    network = built().eval()
    assert torch.equal(network(IMAGES), network.inner(IMAGES))


def test_maps_are_drawn_anew_and_as_the_seed_says():
    network, outputs = built().train(), []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        outputs.append(network(IMAGES))
    assert torch.equal(outputs[0], outputs[1])
    assert not torch.equal(outputs[0], outputs[2])


def test_the_gradient_passes_through_the_random_map():
    network = built(distortion={"name": "rotation", "degrees": 0.0}).train()
    through, plain = IMAGES.clone().requires_grad_(), IMAGES.clone().requires_grad_()
    network(through).square().sum().backward()
    network.eval()(plain).square().sum().backward()
    # The map is the identity up to rounding.
    torch.testing.assert_close(through.grad, plain.grad, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("side", [14, 28, 56])
def test_the_default_moves_by_the_same_share_of_any_image(side):
    distortion = built(in_shape=(1, side, side)).distortion
    theta = distortion.sample(4000, torch.Generator().manual_seed(0)).double()
    moves = theta - distortion.family.identity()
    # N(0, 1 of 28 pixels) in [-1, 1], and scales of U(0.9, 1.1) about it.
    center = moves.view(4000, 2, 4, 4)[:, :, 1:3, 1:3]
    expected = ((2 / 28) ** 2 + (1 / 3) ** 2 * 0.1**2 / 3) ** 0.5
    assert center.std().item() == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"inner": "none"}, "inner: expected a network with outputs of its own, got none"),
        ({"inner": {"name": "paper_fcn", "hidden": [0]}}, "hidden: expected one or more widths"),
        ({"distortion": {"name": "translated_cluttered"}}, "keeps their size of [28, 28], such as elastic, got trans"),
        ({"distortion": "rts"}, "distortion: expected one of single images that keeps their size"),
        ({"distortion": "elastik"}, "there is no distortion 'elastik'"),
        ({"inner": "compact_cmm"}, "there is no network 'compact_cmm'"),
    ],
)
def test_what_cannot_be_augmented_is_refused(options, sentence):
    with pytest.raises(stnkit.errors.StnkitError) as error:
        built(**options)
    assert sentence in str(error.value)


def test_pairs_are_refused():
    with pytest.raises(stnkit.errors.InputError, match="distortion: expected one of single images"):
        built(in_shape=(2, 28, 28), distortion="pair")
