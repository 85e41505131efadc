"""Networks that know nothing of stnkit."""

import torch
from torch import nn


class Block(nn.Module):
    """Two 3×3 convolutions and a shortcut, as in ResNet-18."""

    def __init__(self, n_in, n_out, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n_out, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(n_out)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(n_out)
        self.downsample = None
        if stride > 1 or n_in != n_out:
            self.downsample = nn.Sequential(nn.Conv2d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out))

    def forward(self, x):
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(x)) + shortcut)


class ResNet(nn.Module):
    """A residual network with the modules and the names of torchvision's: with two blocks a layer, ResNet-18."""

    def __init__(self, widths=(8, 16, 24, 32), n_classes=5, n_blocks=2):
        super().__init__()
        self.n_blocks = n_blocks
        self.conv1 = nn.Conv2d(3, widths[0], 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        self.layer1 = self._layer(widths[0], widths[0], 1)
        self.layer2 = self._layer(widths[0], widths[1], 2)
        self.layer3 = self._layer(widths[1], widths[2], 2)
        self.layer4 = self._layer(widths[2], widths[3], 2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(widths[3], n_classes)

    def _layer(self, n_in, n_out, stride):
        return nn.Sequential(Block(n_in, n_out, stride), *[Block(n_out, n_out, 1) for _ in range(self.n_blocks - 1)])

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.avgpool(x).flatten(1))


class Small(nn.Module):
    """A convolution, a batch norm and a linear layer."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.fc = nn.Linear(4, 3)

    def forward(self, image):
        return self.fc(torch.relu(self.norm(self.conv(image))).mean(dim=(2, 3)))
