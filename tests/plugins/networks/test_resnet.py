"""`network=resnet`: images of every size in its range, the cost of large ones, and what it refuses."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import stnkit


def built(*in_shape, n_classes=3, **options):
    return stnkit.build("network", "resnet", in_shape=in_shape, n_classes=n_classes, **options)


def size_of_the_first_stage(network, *in_shape):
    sizes = []
    network.layers.stage1.register_forward_hook(lambda module, args, output: sizes.append(tuple(output.shape[2:])))
    network(torch.zeros(2, *in_shape))
    return sizes[0]


@pytest.mark.parametrize(
    ("size", "inside"),
    [
        ((16, 16), (16, 16)),
        ((32, 47), (32, 47)),
        ((48, 64), (24, 32)),
        ((95, 95), (24, 24)),
        ((96, 96), (24, 24)),
        ((64, 300), (32, 150)),
        ((224, 224), (28, 28)),
        ((512, 512), (32, 32)),
    ],
)
def test_the_stem_halves_images_until_the_stages_are_cheap(size, inside):
    network = built(3, *size, width=4).eval()
    assert size_of_the_first_stage(network, 3, *size) == inside


@pytest.mark.parametrize("size", [(16, 16), (31, 16), (48, 48), (224, 64)])
def test_one_image_can_be_trained_on_with_the_most_stages(size):
    with pytest.raises(stnkit.errors.InputError, match=r"at most [45] stages") as refusal:
        built(1, *size, width=1, blocks=[1] * 9)
    most = int(str(refusal.value).partition("at most ")[2][0])
    built(1, *size, width=1, blocks=[1] * most)(torch.rand(1, 1, *size)).sum().backward()
    with pytest.raises(stnkit.errors.InputError, match=f"at most {most} stages"):
        built(1, *size, width=1, blocks=[1] * (most + 1))


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("in_shape", "options", "message"),
    [
        ((3, 15, 40), {}, "expected images whose shorter side has 16 to 512 pixels, got 15×40"),
        ((3, 513, 600), {}, "expected images whose shorter side has 16 to 512 pixels, got 513×600"),
        ((1, 16, 16, 16), {}, r"in_shape: expected images \(C, H, W\), got \[1, 16, 16, 16\]"),
        ((3, 32, 32), {"width": 0}, "width: expected at least 1, got 0"),
        ((3, 32, 32), {"blocks": []}, r"blocks: expected one or more numbers of at least 1, got \[\]"),
        ((3, 32, 32), {"blocks": [1, 0]}, r"blocks: expected one or more numbers of at least 1, got \[1, 0\]"),
        ((3, 64, 48), {"blocks": [1] * 6}, "blocks: expected at most 5 stages for images of 64×48, got 6"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(in_shape, options, message):
    with pytest.raises(stnkit.errors.InputError, match=message):
        built(*in_shape, **options)


def test_a_block_is_the_sum_of_a_shortcut_and_two_convolutions():
    network = built(2, 20, 20, width=3, blocks=[1, 2]).eval()
    with torch.no_grad():
        for norm in (module for module in network.modules() if isinstance(module, nn.BatchNorm2d)):
            norm.weight.uniform_(0.5, 1.5)
            norm.bias.normal_()
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 1.5)

    def convolved(x, pair, stride=1):
        kernel, norm = pair.convolution.weight, pair.norm
        x = F.conv2d(x, kernel, stride=stride, padding=kernel.shape[-1] // 2)
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        return x * scale[:, None, None] + (norm.bias - norm.running_mean * scale)[:, None, None]

    def block(x, module, stride=1):
        shortcut = convolved(x, module.shortcut, stride) if stride > 1 else x
        return (shortcut + convolved(convolved(x, module.conv1, stride).relu(), module.conv2)).relu()

    image, layers = torch.rand(2, 2, 20, 20), network.layers
    x = convolved(image, layers.stem[0]).relu()
    x = block(x, layers.stage1[0])
    x = block(block(x, layers.stage2[0], stride=2), layers.stage2[1])
    expected = x.mean(dim=(2, 3)) @ layers.logits.weight.T + layers.logits.bias
    torch.testing.assert_close(network(image), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.slow
def test_twenty_steps_learn_shapes_that_an_average_cannot_tell():
    """Vertical and horizontal stripes at random phases: the mean of every image is the same."""
    generator = torch.Generator().manual_seed(0)

    def stripes(n):
        labels = torch.arange(n) % 2
        phase = 6.28 * torch.rand(n, 1, 1, generator=generator)
        wave = 0.5 + 0.5 * torch.sin(torch.arange(48.0) + phase)
        images = torch.where(labels[:, None, None].bool(), wave.expand(n, 48, 48), wave.expand(n, 48, 48).mT)
        return images[:, None].clone(), labels

    network = built(1, 48, 48, n_classes=2, width=8)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for _ in range(20):
        images, labels = stripes(32)
        optimizer.zero_grad()
        F.cross_entropy(network(images), labels).backward()
        optimizer.step()
    images, labels = stripes(64)
    assert (network.eval()(images).argmax(dim=1) == labels).all()
