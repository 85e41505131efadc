"""A kernel that covers its image is a product of matrices in training: the same features and gradients."""

import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d, conv3d

import stnkit

FORMATS = {2: torch.channels_last, 3: torch.channels_last_3d}


def behind(output):
    """Names of the nodes that made a tensor, along their first inputs."""
    node, names = output.grad_fn, []
    while node is not None:
        names.append(node.name())
        node = node.next_functions[0][0] if node.next_functions else None
    return names


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("ndim", [2, 3])
def test_the_product_is_the_convolution(ndim, channels_last):
    memory_format = FORMATS[ndim] if channels_last else torch.contiguous_format
    localizer = stnkit.build("localizer", "convolutional", in_shape=(3, *[10] * ndim), channels=[4], batch_norm=False)
    conv = next(module for module in localizer.modules() if isinstance(module, nn.Conv2d | nn.Conv3d))
    conv.to(torch.float64, memory_format=memory_format)
    image = torch.randn(6, 3, *[5] * ndim, dtype=torch.float64).to(memory_format=memory_format).requires_grad_()
    inputs = image, conv.weight, conv.bias
    expected = (conv2d if ndim == 2 else conv3d)(*inputs)
    found = conv(image)
    assert "ConvolutionBackward0" in behind(expected)
    assert "ConvolutionBackward0" not in behind(found)
    assert found.shape == expected.shape
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-13)
    seed = torch.randn_like(expected)
    gradients = torch.autograd.grad(found, inputs, seed)
    for one, other in zip(gradients, torch.autograd.grad(expected, inputs, seed), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 30, 24), (1, 12, 12, 12)])
def test_training_and_evaluation_give_the_same_features(shape):
    localizer = stnkit.build("localizer", "convolutional", in_shape=shape, batch_norm=False).double()
    images = torch.randn(4, *shape, dtype=torch.float64)
    trained = localizer.train().features(images)
    torch.testing.assert_close(localizer.eval().features(images), trained, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("shape", "options", "channels"),
    [
        ((1, 2, 2), {}, [128]),
        ((3, 6, 8), {}, [128]),
        ((1, 7, 28), {}, [128]),
        ((2, 8, 10, 12), {}, [128]),
        ((1, 12, 12, 12), {}, [64, 128]),
        ((1, 3, 3), {"downsample": 1, "kernel_size": 3}, [128]),
        ((1, 8, 8), {}, [64, 128]),
        ((1, 8, 300), {}, [64, 128]),
        ((1, 28, 28), {}, [64, 128]),
        ((3, 224, 224), {}, [16, 32, 64, 128]),
    ],
)
def test_the_default_has_as_many_convolutions_as_fit(shape, options, channels):
    localizer = stnkit.build("localizer", "convolutional", in_shape=shape, **options)
    convolutions = [module for module in localizer.modules() if isinstance(module, nn.Conv2d | nn.Conv3d)]
    assert [convolution.out_channels for convolution in convolutions] == channels
    assert localizer(torch.rand(2, *shape)).shape == (2, 128)
