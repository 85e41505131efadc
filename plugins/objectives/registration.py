"""Registration: the moving image of a pair warped onto the fixed one."""

import math
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Literal

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

import stnkit
from stnkit.objectives import Batch, Figure, Setting
from stnkit.similarity import check_bins, check_window, mse, mutual_information, ncc


class Registration(stnkit.Objective):
    """D(moving ∘ T_θ, fixed) + bending · E(θ) + smoothness · S(θ), with a dissimilarity D and two penalties of the map.

    T_θ takes points of the fixed image to those of the moving one. E is the mean over the pixels of the squared second
    derivatives of T_θ (`stnkit.bending_energy`), S that of the squared first derivatives of T_θ(p) − p, both in
    normalized coordinates: E leaves affine maps free, S translations alone.

    A run is judged by D after and before the warp, both over the same pixels, and by the percentage of folded pixels
    (`stnkit.folds`). Where the true map is known, as with `distortion=pair`, it is also judged by the distance between
    T_θ(p) and the true point, in pixels of the moving image: over all pixels of the fixed image (`point_error`), and
    weighted by the distance of their gray value from the median (`shown_error`), since nothing in a blank part of the
    images tells where its points have gone. `…_before` are those of the identity.

    Args:
        similarity: mse for images of one modality, ncc for gray values that are related linearly within each window, mi
            for any relation between them; `stnkit.similarity` has the formulas.
        window: pixels along a side of a window of ncc, an odd number of at least 3; null for the whole image.
        bins: number of bins of the histogram of mi, at least 5.
        bending: weight of E, at least 0.
        smoothness: weight of S, at least 0.

    Raises:
        InputError: when an option is out of its range, or the output of the transformer has not the size of the images.

    Example:
        >>> import stnkit
        >>> stnkit.build("objective", "registration", similarity="ncc", bending=0.01).terms
        ('similarity', 'bending')

    Source: Balakrishnan et al., VoxelMorph, TMI 2019, section III (learned, with smoothness); Rueckert et al., TMI 1999
        (bending); Jaderberg et al. 2015 for the transformer.
    """

    figures: Mapping[str, Figure] = {
        "dissimilarity": Figure(),
        "dissimilarity_before": Figure(),
        "folded": Figure("%"),
    }
    measured_in_training = False
    needs = ("pair", "transformer")
    default_network = "none"
    default_placement = "pair"

    def __init__(
        self,
        similarity: Literal["mse", "ncc", "mi"] = "mse",
        window: int | None = 9,
        bins: int = 32,
        bending: float = 0.001,
        smoothness: float = 0.0,
    ) -> None:
        super().__init__()
        for name, weight in (("bending", bending), ("smoothness", smoothness)):
            if not 0 <= weight < math.inf:
                raise stnkit.errors.InputError(f"{name}: expected a finite number of at least 0, got {weight}")
        self.dissimilarity = _dissimilarity(similarity, window, bins)
        self.weights = {name: w for name, w in (("bending", bending), ("smoothness", smoothness)) if w}
        self.terms = ("similarity", *self.weights)
        self._setting: Setting | None = None

    def prepare(self, setting: Setting) -> None:
        transformer = setting.transformer
        assert transformer is not None  # the program has checked the needs
        size = tuple(setting.in_shape[1:])
        if transformer.family.is_chart and setting.distortion.between_pair:
            name = type(transformer.family).__name__
            raise stnkit.errors.InputError(
                f"objective=registration: expected a transform that may be the identity, with a distortion that moves "
                f"the images of a pair against each other, got the chart {name}"
            )
        if transformer.out_size not in (None, size):
            raise stnkit.errors.InputError(
                f"out_size: expected null or {list(size)}, the size of fixed images, for objective=registration, got "
                f"{list(transformer.out_size)}"
            )
        self._setting = setting
        if setting.distortion.between_pair:
            errors = ("point_error", "point_error_before", "shown_error", "shown_error_before")
            self.figures = {**type(self).figures, **dict.fromkeys(errors, Figure("px"))}

    def losses(self, batch: Batch) -> Mapping[str, Float[Tensor, ""]]:
        family, theta, size = self._map(batch)
        penalties = {"bending": stnkit.bending_energy, "smoothness": _roughness}
        terms = {name: weight * penalties[name](family, theta, size).mean() for name, weight in self.weights.items()}
        return {"similarity": self.dissimilarity(batch.straightened, batch.fixed).mean(), **terms}

    def measure(self, batch: Batch) -> Mapping[str, Shaped[Tensor, "B"]]:
        batch = batch.of_data()
        family, theta, size = self._map(batch)
        figures = {
            "dissimilarity": self.dissimilarity(batch.straightened, batch.fixed),
            "dissimilarity_before": self.dissimilarity(batch.moving, batch.fixed),
            "folded": 100 * stnkit.folds(family, theta, size),
        }
        if "point_error" in self.figures:
            assert self._setting is not None and batch.true_theta is not None  # noqa: PT018 one reason: between_pair
            true = self._setting.distortion.family.grid(batch.true_theta, size)
            shown = _weights(batch.fixed)
            for name, found in (("", family.grid(theta, size)), ("_before", None)):
                distance = _pixels_apart(true, found, size)
                figures[f"point_error{name}"] = distance.mean(dim=1)
                figures[f"shown_error{name}"] = (shown * distance).sum(dim=1)
        return figures

    def pictures(self, batch: Batch) -> Mapping[str, Float[Tensor, "B K *size"]]:
        pairs = {"difference before": batch.moving, "difference": batch.straightened}
        return {caption: (image - batch.fixed).abs() for caption, image in pairs.items()}

    def _map(self, batch: Batch) -> tuple[stnkit.TransformFamily, Float[Tensor, "B P"], tuple[int, ...]]:
        """The family and the θ of the transformer, and the size of the fixed image."""
        assert self._setting is not None  # prepared
        transformer, theta = self._setting.transformer, batch.theta
        assert transformer is not None and theta is not None  # noqa: PT018 one reason: the needs
        return transformer.family, theta, tuple(batch.fixed.shape[2:])


def _dissimilarity(similarity: str, window: int | None, bins: int) -> Callable[[Tensor, Tensor], Float[Tensor, "B"]]:
    if similarity == "ncc":
        check_window(window)
        return partial(ncc, window=window)
    if similarity == "mi":
        check_bins(bins)
        return partial(mutual_information, bins=bins)
    return mse


def _roughness(
    family: stnkit.TransformFamily, theta: Float[Tensor, "B P"], size: tuple[int, ...]
) -> Float[Tensor, "B"]:
    """Mean over the pixels of Σ_ij (∂T_i/∂p_j − δ_ij)²."""
    jacobian = stnkit.families.jacobian(family, theta, size)
    change = jacobian - torch.eye(family.ndim, dtype=jacobian.dtype, device=jacobian.device)
    return change.square().sum(dim=(-2, -1)).flatten(start_dim=1).mean(dim=1)


def _pixels_apart(
    true: Float[Tensor, "B *size ndim"], found: Float[Tensor, "B *size ndim"] | None, size: tuple[int, ...]
) -> Float[Tensor, "B N"]:
    """The distance in pixels between two source points of each pixel; of the identity if none are found."""
    if found is None:
        found = stnkit.coordinates.lattice(size, dtype=true.dtype, device=true.device)
    pixels = stnkit.coordinates.to_pixels(true, size) - stnkit.coordinates.to_pixels(found, size)
    # Coordinate by coordinate: a reduction over an axis of two entries takes ten times as long.
    squares = [coordinate.square() for coordinate in pixels.unbind(dim=-1)]
    return sum(squares[1:], squares[0]).sqrt().flatten(start_dim=1)


def _weights(fixed: Float[Tensor, "B C *size"]) -> Float[Tensor, "B N"]:
    """The distance of each pixel's gray value from the median of the image, 1 in sum; equal for a constant image."""
    values = stnkit.coordinates.widened(fixed).flatten(start_dim=2)
    contrast = (values - values.median(dim=2, keepdim=True).values).abs().sum(dim=1)
    contrast = torch.where(contrast.amax(dim=1, keepdim=True) > 0, contrast, 1.0)
    return contrast / contrast.sum(dim=1, keepdim=True)


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("registration", Registration)
