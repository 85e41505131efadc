"""A small residual network for images of 32 to 224 pixels."""

import math
from collections import OrderedDict
from collections.abc import Iterable

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

import stnkit

# The stem halves an image until its shorter side is below this: the cost of the stages does not grow with the image.
BELOW = 48
# Share of a batch in the running statistics. With torch's 0.1 they lag behind the weights in a run of few steps: after
# 24 steps on 480 images of three shapes the test error is 59 %, with 0.3 it is 28 % (2 cores of an EPYC, 2026-11-29).
MOMENTUM = 0.3
SMALLEST, LARGEST = 16, 512


class ResNet(stnkit.Network):
    """A stem of strided 3×3 convolutions, stages of residual blocks, the average over all positions, then the logits.

    The stem halves the image until its shorter side is below 48 pixels, 224 to 28 and 64 to 32, so that large images
    cost little more than small ones. Each stage behind the first halves it again and doubles the channels. A block is
    relu(x + f(x)) with two 3×3 convolutions and batch-norm.

    Args:
        in_shape: (C, H, W) of the images; the program supplies it.
        n_classes: number of classes; the program supplies it.
        width: channels of the first stage, at least 1.
        blocks: number of residual blocks of each stage, at least 1; the length of the list is the number of stages;
            null is [2, 2, 2].

    Raises:
        InputError: for volumes, for images whose shorter side has less than 16 or more than 512 pixels, for more
            stages than the image can be halved, and for an option out of its range.

    Example:
        >>> import torch, stnkit
        >>> network = stnkit.build("network", "resnet", in_shape=(3, 48, 64), n_classes=3)
        >>> network(torch.zeros(2, 3, 48, 64)).shape
        torch.Size([2, 3])

    Source: He et al. 2016, Deep residual learning for image recognition.
    """

    def __init__(
        self, in_shape: tuple[int, ...], n_classes: int, width: int = 16, blocks: list[int] | None = None
    ) -> None:
        super().__init__()
        blocks = [2, 2, 2] if blocks is None else blocks
        if width < 1:
            raise stnkit.errors.InputError(f"width: expected at least 1, got {width}")
        if not blocks or min(blocks) < 1:
            raise stnkit.errors.InputError(f"blocks: expected one or more numbers of at least 1, got {blocks}")
        if len(in_shape) != 3:
            raise stnkit.errors.InputError(f"in_shape: expected images (C, H, W), got {list(in_shape)}")
        n_channels, *size = in_shape
        shape = "×".join(map(str, size))
        if not SMALLEST <= min(size) <= LARGEST:
            raise stnkit.errors.InputError(
                f"expected images whose shorter side has {SMALLEST} to {LARGEST} pixels, got {shape}"
            )
        left, halvings = min(size), 0
        while left >= BELOW:
            left, halvings = (left + 1) // 2, halvings + 1
        # Two rows at least are left for the last stage: batch-norm cannot train on a single value of each channel.
        most = math.ceil(math.log2(left))
        if len(blocks) > most:
            raise stnkit.errors.InputError(
                f"blocks: expected at most {most} stages for images of {shape}, got {len(blocks)}"
            )
        widths = [width * 2**stage for stage in range(len(blocks))]
        layers = OrderedDict[str, nn.Module](stem=_stem(n_channels, width, halvings))
        for stage, (n_blocks, n_in, n_out) in enumerate(zip(blocks, [width, *widths[:-1]], widths, strict=True)):
            first = _Block(n_in, n_out, stride=2 if stage else 1)
            layers[f"stage{stage + 1}"] = nn.Sequential(first, *(_Block(n_out, n_out) for _ in range(n_blocks - 1)))
        layers |= {"pool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten()}
        self.layers = nn.Sequential(layers | {"logits": nn.Linear(widths[-1], n_classes)})

    def forward(self, image: Float[Tensor, "B C H W"]) -> Float[Tensor, "B n_classes"]:
        return self.layers(image)


def _stem(n_channels: int, width: int, halvings: int) -> nn.Sequential:
    """One 3×3 convolution at least, each with batch-norm and ReLU, of which `halvings` have stride 2."""
    layers: list[nn.Module] = []
    for index in range(max(1, halvings)):
        layers += [_convolution(width if index else n_channels, width, stride=2 if halvings else 1), nn.ReLU()]
    return nn.Sequential(*layers)


def _convolution(n_in: int, n_out: int, stride: int = 1, kernel_size: int = 3) -> nn.Sequential:
    """A convolution without bias, and batch-norm."""
    convolution = nn.Conv2d(n_in, n_out, kernel_size, stride, padding=kernel_size // 2, bias=False)
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(OrderedDict(convolution=convolution, norm=nn.BatchNorm2d(n_out, momentum=MOMENTUM)))


class _Block(nn.Module):
    """relu(shortcut(x) + f(x)), f two convolutions.

    Args:
        n_in: channels of x.
        n_out: channels of the output.
        stride: of the first convolution and of the shortcut.
    """

    def __init__(self, n_in: int, n_out: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = _convolution(n_in, n_out, stride)
        self.conv2 = _convolution(n_out, n_out)
        same = stride == 1 and n_in == n_out
        self.shortcut = nn.Identity() if same else _convolution(n_in, n_out, stride, kernel_size=1)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D h w"]:
        return F.relu(self.shortcut(x) + self.conv2(F.relu(self.conv1(x))))


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("resnet", ResNet)
