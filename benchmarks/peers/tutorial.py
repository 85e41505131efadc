"""A spatial transformer as PyTorch's tutorial writes it: the network, and the loop over images read one by one.

After "Spatial Transformer Networks Tutorial" by Ghassen Hamrouni,
https://pytorch.org/tutorials/intermediate/spatial_transformer_tutorial.html, over random bytes instead of MNIST. What
it takes of torchvision is written out, operation by operation, as that cannot be imported beside a torch for the CPU.
Nothing is stnkit's.
"""

import atexit
import ctypes
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

MEAN, STD = 0.1307, 0.3081
N_IMAGES = 60_000

Transform = Callable[[Any], Any]


class Localized(nn.Module):
    """A network behind an affine transformer, as the tutorial's class writes both: log-probabilities of 28×28 images.

    Args:
        localization: layers that see the image.
        features: what they make of an image, in all.
        hidden: width of the layer between them and θ.
    """

    def __init__(self, localization: nn.Sequential, features: int, hidden: int) -> None:
        super().__init__()
        self.localization = localization
        self.fc_loc = nn.Sequential(nn.Linear(features, hidden), nn.ReLU(True), nn.Linear(hidden, 6))
        last = self.fc_loc[-1]
        last.weight.data.zero_()
        last.bias.data.copy_(torch.tensor([1, 0, 0, 0, 1, 0], dtype=torch.float))
        self.n_features = features

    def stn(self, x: Tensor) -> Tensor:
        """The image read at the grid that the localization asks for."""
        theta = self.fc_loc(self.localization(x).view(-1, self.n_features)).view(-1, 2, 3)
        grid = F.affine_grid(theta, list(x.size()), align_corners=False)
        return F.grid_sample(x, grid, align_corners=False)


class Net(Localized):
    """The tutorial's network."""

    def __init__(self) -> None:
        super().__init__(
            nn.Sequential(
                nn.Conv2d(1, 8, kernel_size=7),
                nn.MaxPool2d(2, stride=2),
                nn.ReLU(True),
                nn.Conv2d(8, 10, kernel_size=5),
                nn.MaxPool2d(2, stride=2),
                nn.ReLU(True),
            ),
            features=10 * 3 * 3,
            hidden=32,
        )
        self.conv1 = nn.Conv2d(1, 10, kernel_size=5)
        self.conv2 = nn.Conv2d(10, 20, kernel_size=5)
        self.conv2_drop = nn.Dropout2d()
        self.fc1 = nn.Linear(320, 50)
        self.fc2 = nn.Linear(50, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stn(x)
        x = F.relu(F.max_pool2d(self.conv1(x), 2))
        x = F.relu(F.max_pool2d(self.conv2_drop(self.conv2(x)), 2))
        x = x.view(-1, 320)
        x = F.relu(self.fc1(x))
        x = F.dropout(x, training=self.training)
        return F.log_softmax(self.fc2(x), dim=1)


class PaperNet(Localized):
    """The paper's ST-CNN, layer by layer that of `model=paper_st_cnn_affine`, written in the tutorial's manner."""

    def __init__(self) -> None:
        super().__init__(
            nn.Sequential(
                nn.AvgPool2d(2),
                nn.Conv2d(1, 20, kernel_size=5),
                nn.ReLU(),
                nn.MaxPool2d(2),
                nn.Conv2d(20, 20, kernel_size=5),
                nn.ReLU(),
            ),
            features=20,
            hidden=20,
        )
        self.conv1 = nn.Conv2d(1, 64, kernel_size=9)
        self.conv2 = nn.Conv2d(64, 128, kernel_size=7)
        self.fc = nn.Linear(512, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stn(x)
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return F.log_softmax(self.fc(x.view(-1, 512)), dim=1)


class Loop:
    """The tutorial's training loop, one step at a time.

    Its workers read ahead. Timed in turn with others, they would do so while the others are timed: they would take
    the processor from those, and have their own work done before they are timed themselves. So they are stopped
    between two steps; what a step then takes is what it takes in the loop that only makes steps.

    Args:
        network: what is trained; the tutorial's by default.
        batch_size: of a step; the tutorial has 64.
        workers: processes that read the images.
        degrees: half the range of a random rotation of every image, 0 for none, as in the tutorial.
        pausing: whether the workers are stopped between two steps.
    """

    def __init__(
        self,
        network: nn.Module | None = None,
        batch_size: int = 256,
        workers: int = 4,
        degrees: float = 0.0,
        pausing: bool = True,
    ) -> None:
        self.network = (Net() if network is None else network).train()
        self.optimizer = torch.optim.SGD(self.network.parameters(), lr=0.01)
        images = RandomBytes(_transform(degrees))
        with warnings.catch_warnings():
            # The tutorial's four, on a machine of fewer cores: that is what is measured.
            warnings.filterwarnings("ignore", message=".*DataLoader will create.*")
            self.loader = DataLoader(
                images, batch_size=batch_size, shuffle=True, num_workers=workers, worker_init_fn=_end_with_parent
            )
        self.pausing = pausing and workers > 0
        self._iterator: Any = None
        self._left = 0
        # A stopped process does not end when it is asked to, and the interpreter's end waits for it.
        atexit.register(self.close)

    def ready(self) -> None:
        """Do what is between two epochs, where one has ended: called before a step, it leaves the step alone."""
        if self._left:
            return
        with self._at_work(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*DataLoader will create.*")
            self._iterator = None  # the workers of the last epoch end before those of the next one begin
            self._iterator = iter(self.loader)
            self._left = len(self.loader)

    def __call__(self) -> Tensor:
        """Make one step.

        Returns:
            Its loss.
        """
        self.ready()
        with self._at_work():
            data, target = next(self._iterator)
            self._left -= 1
            self.optimizer.zero_grad()
            output = self.network(data)
            loss = F.nll_loss(output, target)
            loss.backward()
            self.optimizer.step()
        return loss.detach()

    def close(self) -> None:
        """End the workers."""
        self._send(signal.SIGCONT)
        self._iterator, self._left = None, 0
        atexit.unregister(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        self._send(signal.SIGCONT)
        try:
            yield
        finally:
            self._send(signal.SIGSTOP)

    def _send(self, number: int) -> None:
        if self.pausing and self._iterator is not None:
            for worker in self._iterator._workers:
                if worker.is_alive():
                    os.kill(worker.pid, number)


def _end_with_parent(worker: int) -> None:
    """A worker that is stopped does not see that whoever started it was killed, and would be left for ever."""
    if sys.platform == "linux":
        PR_SET_PDEATHSIG = 1
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class RandomBytes(Dataset[tuple[Tensor, int]]):
    """As many images of random bytes as MNIST has for training, each read as torchvision's `MNIST` reads it.

    Args:
        transform: of a PIL image.
    """

    def __init__(self, transform: Transform) -> None:
        self.data = torch.randint(256, (N_IMAGES, 28, 28), dtype=torch.uint8)
        self.targets = torch.randint(10, (N_IMAGES,))
        self.transform = transform

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        img, target = self.data[index], int(self.targets[index])
        return self.transform(Image.fromarray(img.numpy())), target

    def __len__(self) -> int:
        return len(self.data)


class Compose:
    """torchvision's: one transform after the other.

    Args:
        transforms: in their order.
    """

    def __init__(self, transforms: Sequence[Transform]) -> None:
        self.transforms = transforms

    def __call__(self, img: Any) -> Any:
        for transform in self.transforms:
            img = transform(img)
        return img


class RandomRotation:
    """torchvision's, of a PIL image with bilinear interpolation.

    Args:
        degrees: half the range.
    """

    def __init__(self, degrees: float) -> None:
        self.degrees = degrees

    def __call__(self, img: Image.Image) -> Image.Image:
        angle = float(torch.empty(1).uniform_(-self.degrees, self.degrees).item())
        return img.rotate(angle, Image.Resampling.BILINEAR, False, None, fillcolor=0)


class ToTensor:
    """torchvision's, of a PIL image of bytes."""

    def __call__(self, img: Image.Image) -> Tensor:
        tensor = torch.from_numpy(np.array(img, np.uint8, copy=True))
        tensor = tensor.view(img.size[1], img.size[0], len(img.getbands()))
        return tensor.permute((2, 0, 1)).contiguous().to(dtype=torch.get_default_dtype()).div(255)


class Normalize(nn.Module):
    """torchvision's.

    Args:
        mean: of each channel.
        std: of each channel.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.mean, self.std = mean, std

    def forward(self, tensor: Tensor) -> Tensor:
        tensor = tensor.clone()
        mean = torch.as_tensor(self.mean, dtype=tensor.dtype, device=tensor.device)
        std = torch.as_tensor(self.std, dtype=tensor.dtype, device=tensor.device)
        if (std == 0).any():
            raise ValueError("std evaluated to zero after conversion")
        return tensor.sub_(mean.view(-1, 1, 1)).div_(std.view(-1, 1, 1))


def _transform(degrees: float) -> Transform:
    rotation = [RandomRotation(degrees)] if degrees else []
    return Compose([*rotation, ToTensor(), Normalize((MEAN,), (STD,))])
