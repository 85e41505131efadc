"""The networks of timm as localizers."""

from collections.abc import Iterable
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

import stnkit
from stnkit.errors import InputError, StnkitError


class Timm(stnkit.Localizer):
    """A network of timm without its classifier, whose last map is averaged over a raster of cells.

    The model is that of `network=timm`: behind the normalization of its own config, for any number of channels, and of
    a fixed size for the size of the images. θ depends on positions, which an average over the whole map does not keep,
    so that it is averaged over `cells` × `cells` regions. A transformer of patches gives the map of its patches.

    Args:
        in_shape: (C, H, W) of the images; the program supplies it.
        model: name of the model, of `timm.list_models()`, or with a tag of its weights, of `timm.list_pretrained()`.
        pretrained: true for the pretrained weights, which timm downloads once and caches.
        cells: number of regions along each axis, at most the pixels of the map; 0 for the model's own pooling.
        options: more arguments of the model, such as `{drop_rate: 0.1}`; null for none.

    Raises:
        NotInstalledError: when timm cannot be imported.
        UnknownNameError: when timm has no such model.
        InputError: when the model does not take the images or an option, or gives no map.
        DataError: when the pretrained weights cannot be downloaded.

    Example:
        >>> import torch, stnkit
        >>> localizer = stnkit.build("localizer", "timm", in_shape=(3, 64, 48), model="resnet10t", cells=2)
        >>> localizer(torch.zeros(5, 3, 64, 48)).shape
        torch.Size([5, 2048])

    Source: Wightman, PyTorch image models, https://github.com/huggingface/pytorch-image-models; a classifier without
        its last layer as localizer: Jaderberg et al. 2015, section 4.3.
    """

    def __init__(
        self,
        in_shape: tuple[int, ...],
        model: str = "resnet18",
        pretrained: bool = False,
        cells: int = 4,
        options: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if cells < 0:
            raise InputError(f"cells: expected at least 0, got {cells}")
        chosen = {"name": "timm", "model": model, "pretrained": pretrained, "options": options}
        try:
            network = stnkit.build("network", chosen, in_shape=in_shape, n_classes=1)
        except StnkitError as error:
            stnkit.errors.retold(error, str(error).removeprefix("network 'timm': "))
            raise
        self.model: Any = network.model
        self.normalization: Any = network.normalization
        try:
            self.model.reset_classifier(0, *([""] if cells else []))
            found = self._output(in_shape)
            self.layout: Any = _layout_of(self.model, found) if cells else None
        except (TypeError, AttributeError, ValueError, AssertionError, RuntimeError) as error:
            raise _no_map(model, stnkit.errors.one_line(error)) from error
        if cells and self.layout is None:
            raise _no_map(model, f"its output has shape {list(found.shape)}")
        self.cells = (0, 0)
        if cells:
            height, width = self._map(found).shape[2:]
            self.cells = (min(cells, height), min(cells, width))
        self.n_features = self._pooled(found).shape[1]
        self.in_shape = tuple(in_shape)

    def features(self, image: Float[Tensor, "B C H W"]) -> Float[Tensor, "B n_features"]:
        return self._pooled(self.model(self.normalization(image, self.model)))

    def _output(self, in_shape: tuple[int, ...]) -> Tensor:
        """The output of the model for one black image."""
        training = self.training
        with torch.no_grad():
            found: Tensor = self.eval().model(self.normalization(torch.zeros(1, *in_shape), self.model))
        self.train(training)
        return found

    def _map(self, output: Tensor) -> Float[Tensor, "B features h w"]:
        if self.layout == "channels first":
            return output
        if self.layout == "channels last":
            return output.movedim(-1, 1)
        n_prefix, height, width = self.layout
        return output[:, n_prefix:].transpose(1, 2).reshape(len(output), output.shape[2], height, width)

    def _pooled(self, output: Tensor) -> Float[Tensor, "B n_features"]:
        if self.layout is None:
            return output
        return F.adaptive_avg_pool2d(self._map(output), self.cells).flatten(1)


def _layout_of(model: nn.Module, output: Tensor) -> Any:
    """The axis of the channels of a map, or for tokens the number in front of the patches, their rows and columns.

    None for an output that is no map.
    """
    widths = {getattr(model, name, None) for name in ("num_features", "head_hidden_size")}
    if output.ndim == 4 and output.shape[1] in widths:
        return "channels first"
    if output.ndim == 4 and output.shape[3] in widths:
        return "channels last"
    size = getattr(getattr(model, "patch_embed", None), "grid_size", None)
    n_prefix = getattr(model, "num_prefix_tokens", 0)
    if output.ndim == 3 and size and output.shape[1] == n_prefix + size[0] * size[1]:
        return (n_prefix, *size)
    return None


def _no_map(model: str, reason: str) -> InputError:
    return InputError(f"cells: expected 0, the model's own pooling, for {model}, which gives no map: {reason}")


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("timm", Timm)
