"""SpatialTransformer = localizer ∘ family ∘ sampler, and several of them in parallel."""

from collections.abc import Iterable, Sequence
from typing import Any, final

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from stnkit import coordinates
from stnkit.contract import COUNT
from stnkit.errors import DoesNotComposeError, InputError
from stnkit.families.family import TransformFamily
from stnkit.heads import head_for
from stnkit.initial_theta import TransformInit
from stnkit.localizers import Localizer
from stnkit.renaming import tell_renamed
from stnkit.samplers.sampler import Sampler
from stnkit.symbolic import recorded_call
from stnkit.warping import check_dimensions, warp


@final
class SpatialTransformer(nn.Module):
    """image ↦ sampler(image, family.grid(θ)) with θ = head(localizer(image)): the identity at construction.

    The head is stnkit's: a `RegressionHead` for a vector of features, a `LatticeHead` for a map of them. With a chart,
    such as polar coordinates, the start is the chart at its neutral θ.

    Recurrent, the localizer sees the warped image again: θ_k = θ_{k−1} ∘ head(localizer(I ∘ T_{θ_{k−1}})). One
    localizer serves all steps; the maps are composed, and the output is sampled from the image itself.

    Args:
        localizer: extracts features of the image.
        family: turns θ into a sampling grid.
        sampler: reads the image at the grid.
        out_size: size of the output, (H, W) or (D, H, W); by default that of each image.
        recurrent: number of steps of the localizer, at least 1; more than 1 for families that compose.
        transform_init: the θ to start from, where it is not the identity: its numbers, or a window such as
            `{"zoom": 2, "center": [0.5, 0]}`, T_θ(p) = p / zoom + center; see `RegressionHead`. Not with recurrent.
        sampled_channels: for pairs, the number of channels of the moving image: the localizer sees the channels of both
            images, and the sampler reads the first ones, which are the moving image. By default all channels are read.

    Attributes:
        theta_probe: an identity through which every θ passes: register a forward hook on it to read θ.

    Raises:
        InputError: when a component is none of its kind, `out_size` is not one positive whole number for each
            dimension of the family, `recurrent` is no whole number of at least 1, or more with a family that does not
            compose, `transform_init` does not fit the family, the localizer gives a map of features and the family's θ
            is no lattice, or `sampled_channels` is no whole number of at least 1.

    Example:
        >>> import torch, stnkit
        >>> transformer = stnkit.SpatialTransformer(
        ...     stnkit.build("localizer", "fully_connected", in_shape=(1, 28, 28)),
        ...     stnkit.build("transform", "affine"),
        ...     stnkit.build("sampler", "bilinear"),
        ...     out_size=(14, 14),
        ... )
        >>> transformer(torch.rand(2, 1, 28, 28)).shape
        torch.Size([2, 1, 14, 14])

    Source: Jaderberg et al., Spatial Transformer Networks, NeurIPS 2015, section 3. Recurrent: Lin and Lucey,
        Inverse compositional spatial transformer networks, CVPR 2017.
    """

    def __init__(
        self,
        localizer: Localizer,
        family: TransformFamily,
        sampler: Sampler,
        out_size: Sequence[int] | None = None,
        recurrent: int = 1,
        transform_init: TransformInit | None = None,
        sampled_channels: int | None = None,
    ) -> None:
        super().__init__()
        _check_role("localizer", localizer, isinstance(localizer, nn.Module) and hasattr(localizer, "n_features"))
        _check_role("family", family, isinstance(family, TransformFamily))
        _check_role("sampler", sampler, isinstance(sampler, nn.Module) and not isinstance(sampler, TransformFamily))
        self.localizer = localizer
        self.head = head_for(localizer, family, transform_init)
        self.theta_probe = ThetaProbe()
        self.family = family
        self.sampler = sampler
        try:
            self.out_size = None if out_size is None else coordinates.check_size(out_size, family.ndim)
        except InputError as error:
            raise InputError(f"out_{error}") from None
        if not COUNT.holds(recurrent):
            raise InputError(f"recurrent: expected {COUNT.words}, got {recurrent!r}")
        if recurrent > 1:
            _check_composes(family)
            if transform_init is not None:
                raise InputError(f"recurrent: expected 1 with transform_init, which each step applies, got {recurrent}")
        self.recurrent = int(recurrent)
        if sampled_channels is not None and not COUNT.holds(sampled_channels):
            raise InputError(f"sampled_channels: expected {COUNT.words} or None, got {sampled_channels!r}")
        self.sampled_channels = None if sampled_channels is None else int(sampled_channels)

    @property
    def theta(self) -> nn.Module:
        """The name of `theta_probe` in plugin API 1."""
        tell_renamed("SpatialTransformer.theta is now theta_probe")
        return self.theta_probe

    def __setattr__(self, name: str, value: object) -> None:
        if name == "theta":
            tell_renamed("SpatialTransformer.theta is now theta_probe")
            name = "theta_probe"
        super().__setattr__(name, value)  # type: ignore[arg-type]

    def localize(self, image: Float[Tensor, "B C *in_size"]) -> Float[Tensor, "B P"]:
        """θ for each image, in float32 or wider: recurrent, the composition of all steps."""
        theta = self.head(self.localizer(image))
        for _ in range(self.recurrent - 1):
            # At the size of the image, not of the output: the localizer is built for it.
            warped = warp(self.family, theta, self.sampled(image), self.sampler)
            if self.sampled_channels is not None:
                warped = torch.cat([warped, image[:, self.sampled_channels :]], dim=1)
            theta = self.family.compose(theta, self.head(self.localizer(warped)))
        return self.theta_probe(theta)

    def sampled(self, image: Float[Tensor, "B C *in_size"]) -> Float[Tensor, "B K *in_size"]:
        """The channels that the sampler reads: those of the moving image of a pair, and all of a single image.

        Raises:
            InputError: for fewer channels than `sampled_channels`.
        """
        if self.sampled_channels is None:
            return image
        if image.shape[1] < self.sampled_channels:
            raise InputError(
                f"sampled_channels: expected at most the {image.shape[1]} channels of the image, "
                f"got {self.sampled_channels}"
            )
        return image[:, : self.sampled_channels]

    def warp(
        self, image: Shaped[Tensor, "B C *in_size"], theta: Float[Tensor, "B P"]
    ) -> Shaped[Tensor, "B C *out_size"]:
        """The image read through T_θ, at `out_size` or its own size."""
        return warp(self.family, theta, image, self.sampler, self.out_size)

    def forward(self, image: Float[Tensor, "B C *in_size"]) -> Float[Tensor, "B K *out_size"]:
        """The image as the transformer straightens it: with `sampled_channels` the moving image of a pair.

        Raises:
            InputError: when the image does not have the family's dimensions, the localizer is for another shape, or
                there are fewer channels than `sampled_channels`.
        """
        if isinstance(image, torch.fx.Proxy) and (call := recorded_call(self, image)) is not None:
            return call
        check_dimensions(self.family, image)
        return self.warp(self.sampled(image), self.localize(image))


@final
class ThetaProbe(nn.Module):
    """θ ↦ θ, a module whose forward hooks see θ.

    torch.compile guards on what a forward reads, but not on hooks. This one reads its own, so that a hook that is
    registered or removed after the first compiled call is respected.

    Example:
        >>> import torch
        >>> from stnkit.transformer import ThetaProbe
        >>> probe, seen = ThetaProbe(), []
        >>> handle = probe.register_forward_hook(lambda module, args, theta: seen.append(theta))
        >>> probe(torch.zeros(1, 6)) is seen[0]
        True
    """

    def __init__(self) -> None:
        super().__init__()
        # By another name, since the compiler knows the names of hooks.
        self._watched = [self._forward_hooks, self._forward_pre_hooks]

    def forward(self, theta: Float[Tensor, "B P"]) -> Float[Tensor, "B P"]:
        """θ itself."""
        for hooks in self._watched:
            len(hooks)
        return theta


@final
class ParallelTransformers(nn.Module):
    """image ↦ the outputs of several transformers, concatenated along the channels.

    Each has its own localizer, so that each may look for something else in the image.

    Args:
        transformers: one or more, with outputs of one size.

    Attributes:
        out_size: theirs, None for that of each image.

    Raises:
        InputError: when there is none, one is no SpatialTransformer, or their output sizes differ.

    Example:
        >>> import torch, stnkit
        >>> localizers = [stnkit.build("localizer", "fully_connected", in_shape=(1, 8, 8)) for _ in range(2)]
        >>> family, sampler = stnkit.build("transform", "affine"), stnkit.build("sampler", "bilinear")
        >>> transformers = [stnkit.SpatialTransformer(localizer, family, sampler) for localizer in localizers]
        >>> stnkit.ParallelTransformers(transformers)(torch.rand(4, 1, 8, 8)).shape
        torch.Size([4, 2, 8, 8])

    Source: Jaderberg et al. 2015, section 3.4; used for the birds of section 4.3 and for MNIST addition.
    """

    def __init__(self, transformers: Iterable[SpatialTransformer]) -> None:
        super().__init__()
        transformers = _check_transformers(transformers)
        sizes = [transformer.out_size for transformer in transformers]
        if not sizes or len(set(sizes)) > 1:
            raise InputError(f"parallel transformers: expected one common out_size, got {sizes}")
        self.out_size = sizes[0]
        self.transformers = nn.ModuleList(transformers)

    def forward(self, image: Float[Tensor, "B C *in_size"]) -> Float[Tensor, "B channels *out_size"]:
        """The image as each of the transformers straightens it, (B, n·C, *out_size)."""
        if isinstance(image, torch.fx.Proxy) and (call := recorded_call(self, image)) is not None:
            return call
        return torch.cat([transformer(image) for transformer in self.transformers], dim=1)


# Modules of one's own that do the work of a Localizer or a Sampler are accepted.
ROLES = {"localizer": "a Localizer", "family": "a TransformFamily", "sampler": "a Sampler"}


def _check_role(name: str, given: object, fits: bool) -> None:
    if not fits:
        got = f"the class {given.__name__}" if isinstance(given, type) else type(given).__name__
        raise InputError(f"SpatialTransformer: {name}: expected {ROLES[name]}, got {got}")


def _check_transformers(given: Any) -> list[SpatialTransformer]:
    members: list[SpatialTransformer] = list(given) if isinstance(given, Iterable) else [given]
    # A compiled one has its attributes.
    fit = [isinstance(member, nn.Module) and hasattr(member, "out_size") for member in members]
    if not isinstance(given, Iterable) or isinstance(given, str) or not all(fit):
        several = isinstance(given, Iterable) and not isinstance(given, str)
        got = f"[{', '.join(type(each).__name__ for each in members)}]" if several else f"one {type(given).__name__}"
        raise InputError(f"parallel transformers: expected an iterable of SpatialTransformers, got {got}")
    return members


def _check_composes(family: TransformFamily) -> None:
    theta = family.identity()[None]
    try:
        family.compose(theta, theta)
    except DoesNotComposeError as error:
        raise InputError(f"a recurrent transformer needs a family that composes, but {error}") from error
