"""The networks of timm, by their names there."""

import difflib
import importlib
import inspect
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

import stnkit

# Arguments that the program or an option of its own sets.
SET_ELSEWHERE = ("num_classes", "in_chans", "features_only", "device", "dtype")
# Number of names that a message suggests.
SUGGESTED = 5
# Characters of another library's message.
LONGEST = 300


class Timm(stnkit.Network):
    """A network of timm behind the normalization of its own config: model((image − mean) / std).

    Images arrive with values in [0, 1]. They are normalized behind the transformer, so that its padding with zeros is
    black. Mean and standard deviation are those of the model's `pretrained_cfg`, with and without pretrained weights;
    for one channel their averages, for other numbers of channels they are repeated, as timm adapts the weights.
    A model of a fixed size, such as a ViT, is built for the size of the images. `placement.at` takes the names of the
    model's own submodules.

    Args:
        in_shape: (C, H, W) of the images; the program supplies it.
        n_classes: number of classes; the program supplies it.
        model: name of the model, of `timm.list_models()`, or with a tag of its weights, of `timm.list_pretrained()`.
        pretrained: true for the pretrained weights, which timm downloads once and caches; the classifier is new.
        options: more arguments of the model, such as `{drop_rate: 0.1}`; null for none.

    Raises:
        NotInstalledError: when timm cannot be imported.
        UnknownNameError: when timm has no such model.
        InputError: when the model does not take the images or an option, or a transformer of patches would leave out
            pixels at the border.
        DataError: when the pretrained weights cannot be downloaded.

    Example:
        >>> import torch, stnkit
        >>> network = stnkit.build("network", "timm", in_shape=(3, 64, 48), n_classes=3, model="resnet10t")
        >>> network(torch.zeros(2, 3, 64, 48)).shape
        torch.Size([2, 3])

    Source: Wightman, PyTorch image models, https://github.com/huggingface/pytorch-image-models.
    """

    def __init__(
        self,
        in_shape: tuple[int, ...],
        n_classes: int,
        model: str = "resnet18",
        pretrained: bool = False,
        options: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if len(in_shape) != 3:
            raise stnkit.errors.InputError(f"in_shape: expected images (C, H, W), got {list(in_shape)}")
        n_channels, *size = in_shape
        timm = _imported()
        _check_name(timm, model)
        arguments = _checked(timm, options or {})
        config = timm.get_pretrained_cfg(model)
        if config is not None and config.fixed_input_size:
            arguments.setdefault("img_size", tuple(size))
        shape = f"{n_channels}×{size[0]}×{size[1]}"
        try:
            self.model: nn.Module = timm.create_model(
                model, pretrained=pretrained, num_classes=n_classes, in_chans=n_channels, **arguments
            )
        except Exception as error:
            if pretrained and isinstance(error, OSError | RuntimeError):
                told = stnkit.errors.one_line(error, LONGEST)
                raise stnkit.errors.DataError(f"pretrained: the weights of {model} are not here: {told}") from error
            raise _refused(model, shape, arguments, error) from error
        _check_patches(timm, self.model, size)
        means = timm.data.resolve_model_data_config(self.model)
        self.normalization = _Normalization(n_channels, tuple(means["mean"]), tuple(means["std"]))
        training = self.training
        try:
            with torch.no_grad():
                self.eval()(torch.zeros(1, *in_shape))
        except Exception as error:
            raise _refused(model, shape, arguments, error) from error
        self.train(training)

    def forward(self, image: Float[Tensor, "B C H W"]) -> Float[Tensor, "B n_classes"]:
        return self.model(self.normalization(image, self.model))


@dataclass(frozen=True)
class _Normalization:
    """(image − mean) / std, with constants that are no part of a module's state: of each channel, in turn.

    Args:
        n_channels: of the images; for 1 the constants are averaged.
        mean: of each channel.
        std: likewise.
    """

    n_channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, image: Float[Tensor, "B C H W"], model: nn.Module) -> Float[Tensor, "B C H W"]:
        """The image in the dtype of the model's weights, or in a wider one of its own.

        Args:
            image: with values in [0, 1].
            model: that it is for.
        """
        weight = next(model.parameters(), image)
        mean, std = (_for_channels(v, self.n_channels, weight.dtype, weight.device) for v in (self.mean, self.std))
        return (image - mean) / std


def _imported() -> Any:
    try:
        return importlib.import_module("timm")
    except ModuleNotFoundError as error:
        raise stnkit.errors.NotInstalledError(f"{error.name} is not installed: pip install 'stnkit[timm]'") from error
    except (ImportError, RuntimeError) as error:
        raise stnkit.errors.NotInstalledError(
            f"timm cannot be imported, perhaps because torchvision is built for another torch than "
            f"{version('torch')}: {stnkit.errors.one_line(error, LONGEST)}"
        ) from error


def _check_name(timm: Any, model: str) -> None:
    """Raise an UnknownNameError unless this is a model, with or without a tag.

    Raises:
        UnknownNameError: for any other name, with the nearest ones.
    """
    names = sorted({*timm.list_models(), *timm.list_pretrained()})
    if model in names:
        return
    # A tag that does not exist, or the start of a name; then those that are spelled like it.
    starts = [name for name in names if name.startswith((model, f"{model.partition('.')[0]}."))]
    near = [*starts, *difflib.get_close_matches(model, names, n=SUGGESTED)] if model else []
    listed = ", ".join(list(dict.fromkeys(near))[:SUGGESTED])
    raise stnkit.errors.UnknownNameError(
        f"model: expected a model of timm {timm.__version__}{f', such as {listed}' if listed else ''}, got {model!r}"
    )


def _checked(timm: Any, options: dict[str, Any]) -> dict[str, Any]:
    """A copy of the options, which are the model's own: no argument of `create_model` that the program sets.

    Raises:
        InputError: for others, such as a file of weights, which a config must not name.
    """
    parameters = inspect.signature(timm.create_model).parameters.values()
    own = {*SET_ELSEWHERE, *(each.name for each in parameters if each.kind is not inspect.Parameter.VAR_KEYWORD)}
    for name in options:
        if name in own:
            raise stnkit.errors.InputError(f"options: expected arguments of the model itself, got {name}")
    return dict(options)


def _check_patches(timm: Any, model: nn.Module, size: list[int]) -> None:
    """Raise an InputError unless patches cover the images.

    timm cuts off the pixels behind the last whole patch without a word.

    Raises:
        InputError: otherwise.
    """
    for module in model.modules():
        if isinstance(module, timm.layers.PatchEmbed) and not module.dynamic_img_pad:
            if any(n % patch for n, patch in zip(size, module.patch_size, strict=True)):
                patch, found = ("×".join(map(str, sides)) for sides in (module.patch_size, size))
                raise stnkit.errors.InputError(
                    f"expected images whose sides are multiples of the patch {patch}, got {found}: timm would leave "
                    f"out the rest; options={{dynamic_img_size: true, dynamic_img_pad: true}} pads it for some models"
                )
            return  # patches of features that follow are padded or merged


@stnkit.families.cached
def _for_channels(
    values: tuple[float, ...], n_channels: int, dtype: torch.dtype, device: torch.device
) -> Float[Tensor, "C 1 1"]:
    each = torch.tensor(values, device=device)
    if n_channels == 1:
        return each.mean().view(1, 1, 1).to(dtype)
    return each.repeat(-(-n_channels // len(each)))[:n_channels, None, None].to(dtype)


def _refused(model: str, shape: str, arguments: dict[str, Any], error: Exception) -> stnkit.errors.InputError:
    options = f" with {arguments}" if arguments else ""
    told = stnkit.errors.one_line(error, LONGEST)
    return stnkit.errors.InputError(f"{model} cannot be built for images of {shape}{options}: {told}")


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("timm", Timm)
