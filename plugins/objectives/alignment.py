"""Alignment of a set of images, or of each class of it, with each other."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import numpy as np
import scipy.ndimage
import torch
from jaxtyping import Float, Int64, Shaped
from torch import Tensor

import stnkit
from stnkit.objectives import Batch, Figure, Setting

# Sigmas in pixels, coarse to fine, where the option is left out.
_BLURS = (4.0, 2.0, 1.0, 0.0)
# Share of the mean square of the images. Images whose variance is below it are blank: rounding leaves 1e-13 of it.
_BLANK = 1e-10
# Nodes along an axis at which the size of a map is measured, and the smallest squared volume, of a collapse.
_NODES, _COLLAPSED = 4, 1e-12


class Alignment(stnkit.Objective):
    """1 − (D − N) / max(D, D₀/2) at several blurs: the share of the variance of straightened images within their group.

    N is the mean squared distance of an image from the template of its group, the running mean of the group's
    straightened images. D is the variance of the straightened images over images and pixels, and D₀ that of the images
    themselves. So the variance within a group is relative to the total one: blank images, images of one constant each
    and images made small lose the share that a template explains, and have 1. It is half of D₀, since interpolation
    lowers the contrast of every image that is moved. The second loss, zoom · (mean over images of ln s)², with sⁿᵈⁱᵐ
    the volume that T_θ shows, of a chart relative to that of its neutral θ, keeps all images together from zooming in
    on an edge.

    Args:
        groups: all, for one template; or labels, for one template of each class.
        blurs: σ of Gaussian blurs of the straightened images in pixels, at least 0, from coarse to fine; by default 4,
            2, 1, 0. All have the same weight.
        steps: training steps until all blurs take part: the first one alone does at step 0, and the others follow one
            by one. 0 for all of them at once.
        momentum: inertia of the templates, 0 to below 1: a batch replaces the share 1 − momentum of them.
        zoom: weight of the second loss; it is 0 anyway for families that do not scale.
        n_classes: of the dataset; the program supplies it.

    Raises:
        InputError: when an option is out of its range.

    Example:
        >>> import stnkit
        >>> stnkit.build("objective", "alignment", groups="labels", n_classes=10).needs
        ('transformer', 'labels')

    Source: Learned-Miller, Data driven image models through continuous joint alignment, PAMI 2006; templates and
        transformer: Monnier et al., Deep transformation-invariant clustering, NeurIPS 2020.
    """

    figures: Mapping[str, Figure] = {"variance": Figure(), "variance_identity": Figure()}
    terms = ("alignment", "zoom")
    measured_in_training = False
    default_network = "none"

    def __init__(
        self,
        groups: Literal["all", "labels"] = "all",
        blurs: list[float] | None = None,
        steps: int = 0,
        momentum: float = 0.95,
        zoom: float = 1.0,
        n_classes: int = 0,
    ) -> None:
        super().__init__()
        sigmas = list(_BLURS if blurs is None else blurs)
        if not sigmas or not all(0 <= sigma < math.inf for sigma in sigmas) or sigmas != sorted(sigmas, reverse=True):
            raise stnkit.errors.InputError(
                f"blurs: expected one or more numbers of at least 0 from coarse to fine, got {sigmas}"
            )
        if steps < 0:
            raise stnkit.errors.InputError(f"steps: expected a whole number of at least 0, got {steps}")
        if not 0 <= momentum < 1:
            raise stnkit.errors.InputError(f"momentum: expected a number from 0 to below 1, got {momentum}")
        if not 0 <= zoom < math.inf:
            raise stnkit.errors.InputError(f"zoom: expected a number of at least 0, got {zoom}")
        by_label = groups == "labels"
        self.needs = ("transformer", "labels") if by_label else ("transformer",)
        self.n_groups = n_classes if by_label else 1
        self.by_label, self.blurs, self.steps, self.momentum, self.zoom = by_label, sigmas, steps, momentum, zoom
        # In a list, for the family is a part of the network, not of the objective.
        self._family: list[stnkit.TransformFamily] = []
        self._scales: dict[str, tuple[float, ...]] = {}
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))
        self.register_buffer("updates", torch.zeros(self.n_groups, dtype=torch.int64))
        self.register_buffer("total", torch.zeros(2, len(sigmas)))

    step: Int64[Tensor, ""]
    updates: Int64[Tensor, "G"]
    # D and D₀ at each blur.
    total: Float[Tensor, "2 L"]

    def _make_templates(self, in_shape: Sequence[int], out_size: Sequence[int]) -> None:
        channels, *in_size = in_shape
        for name, size in (("straightened", out_size), ("images", in_size)):
            self.register_buffer(f"{name}_templates", torch.zeros(self.n_groups, channels, *size))
            # σ is in pixels of the output.
            self._scales[name] = tuple(n / out for n, out in zip(size, out_size, strict=True))

    def prepare(self, setting: Setting) -> None:
        assert setting.transformer is not None  # as `needs` says
        self._family = [setting.transformer.family]
        channels, *in_size = setting.in_shape
        # Of pairs the moving image alone, which is the one that is straightened.
        channels = setting.transformer.sampled_channels or channels
        self._make_templates((channels, *in_size), setting.transformer.out_size or in_size)

    @property
    def weights(self) -> Float[Tensor, "L"]:
        """The weights of the blurs at this step, of sum 1: with each of L − 1 parts of `steps` another one sets in."""
        order = torch.arange(len(self.blurs), device=self.step.device)
        if self.steps == 0:
            weights = torch.ones_like(order, dtype=torch.float32)
        else:
            position = self.step.float() / self.steps * (len(self.blurs) - 1)
            weights = (position - order + 1).clamp(0, 1)
        return weights / weights.sum()

    def losses(self, batch: Batch) -> Mapping[str, Float[Tensor, ""]]:
        straightened, images = _pixels(batch.straightened), self._images(batch)
        group = self._groups(batch)
        with stnkit.coordinates.full_precision(straightened):
            with torch.no_grad():
                templates = self._templates("straightened", straightened, group)
                before, least = self._variances("images", images), _least_variance(images)
            total = self._variances("straightened", straightened)
            within = self._distances("straightened", straightened, templates[group]).mean(dim=1)
            share = _share(within, total, before, least)
            losses = {"alignment": (self.weights * share).sum(), "zoom": self.zoom * self._log_zoom(batch).square()}
        if self.training:
            self._update(straightened.detach(), images, group, torch.stack([total.detach(), before]))
        return losses

    def measure(self, batch: Batch) -> Mapping[str, Shaped[Tensor, "B"]]:
        batch = batch.of_data()
        group = self._groups(batch)
        figures = {}
        with stnkit.coordinates.full_precision(batch.straightened):
            shown = {"straightened": _pixels(batch.straightened), "images": self._images(batch)}
            total, least = self.total, _least_variance(shown["images"])
            if not self.step:
                total = torch.stack([self._variances(name, pixels) for name, pixels in shown.items()])
            for name, figure, own in (("straightened", "variance", 0), ("images", "variance_identity", 1)):
                templates = self._templates(name, shown[name], group)
                within = self._distances(name, shown[name], templates[group])
                figures[figure] = _share(within, total[own, :, None], total[1, :, None], least).mean(dim=0)
        return figures

    def pictures(self, batch: Batch) -> Mapping[str, Float[Tensor, "B K *size"]]:
        group = self._groups(batch)
        return {"template": self._templates("straightened", _pixels(batch.straightened), group)[group].clamp(0, 1)}

    def _images(self, batch: Batch) -> Float[Tensor, "B K *in_size"]:
        return _pixels(batch.images[:, : batch.straightened.shape[1]])

    def _groups(self, batch: Batch) -> Int64[Tensor, "B"]:
        return batch.targets if self.by_label else batch.targets.new_zeros(len(batch.images), dtype=torch.int64)

    def _templates(self, name: str, pixels: Tensor, group: Tensor) -> Float[Tensor, "G C *size"]:
        """The templates; of a group that has none yet, the mean of its images here."""
        templates: Tensor = getattr(self, f"{name}_templates")
        if bool((self.updates > 0).all()):
            return templates
        sums, counts = self._sums(pixels, group)
        known = (self.updates > 0).view(-1, *[1] * (pixels.ndim - 1))
        return torch.where(known, templates, sums / counts.clamp(min=1).view_as(known))

    def _sums(self, pixels: Tensor, group: Tensor) -> tuple[Tensor, Tensor]:
        sums = pixels.new_zeros(self.n_groups, *pixels.shape[1:]).index_add_(0, group, pixels)
        return sums, torch.bincount(group, minlength=self.n_groups).to(sums)

    def _blurred(self, name: str, pixels: Tensor) -> Iterable[Float[Tensor, "B C *size"]]:
        for sigma in self.blurs:
            blurred = pixels
            if sigma > 0:
                for axis, scale in enumerate(self._scales[name]):
                    matrix = _blur_matrix(pixels.shape[axis + 2], scale * sigma, pixels.dtype, pixels.device)
                    blurred = (blurred.movedim(axis + 2, -1) @ matrix.mT).movedim(-1, axis + 2)
            yield blurred

    def _variances(self, name: str, pixels: Tensor) -> Float[Tensor, "L"]:
        """The variance over images and pixels at each blur, mean over channels."""
        axes = (0, *range(2, pixels.ndim))
        return torch.stack([blurred.var(dim=axes, correction=0).mean() for blurred in self._blurred(name, pixels)])

    def _distances(self, name: str, pixels: Tensor, templates: Tensor) -> Float[Tensor, "L B"]:
        """The mean squared distance of each image from its template at each blur."""
        return torch.stack([d.square().flatten(1).mean(dim=1) for d in self._blurred(name, pixels - templates)])

    def _log_zoom(self, batch: Batch) -> Float[Tensor, ""]:
        """The mean over images of ln s: s² is the ndim-th root of the determinant of the covariance of nodes."""
        if not self._family or batch.theta is None:
            return batch.straightened.new_zeros(())
        family, theta = self._family[0], stnkit.coordinates.widened(batch.theta)
        nodes = stnkit.coordinates.lattice((_NODES,) * family.ndim, dtype=theta.dtype, device=theta.device)
        nodes = nodes.view(1, -1, family.ndim)
        neutral = family(family.identity()[None].to(theta), nodes) if family.is_chart else nodes
        shown = (stnkit.coordinates.finite(points) for points in (family(theta, nodes), neutral))
        volumes = [_squared_volume(points) for points in shown]
        return (volumes[0] / volumes[1] + _COLLAPSED).log().mean() / (2 * family.ndim)

    @torch.no_grad()
    def _update(self, straightened: Tensor, images: Tensor, group: Tensor, total: Tensor) -> None:
        """Move templates and total variances toward those of a batch, over all processes."""
        least = 1 - self.momentum
        rate = torch.clamp(1 / (self.updates + 1.0), min=least)
        for name, pixels in (("straightened", straightened), ("images", images)):
            sums, counts = (_over_processes(part) for part in self._sums(pixels, group))
            templates: Tensor = getattr(self, f"{name}_templates")
            shape = (-1, *[1] * (pixels.ndim - 1))
            moved = (sums / counts.clamp(min=1).view(shape) - templates) * rate.view(shape)
            templates += torch.where(counts.view(shape) > 0, moved, 0.0)
        self.updates += counts > 0
        share = _over_processes(torch.cat([total.flatten(), total.new_ones(1)]))
        self.total += (share[:-1].view_as(total) / share[-1] - self.total) * max(least, 1 / (int(self.step) + 1))
        self.step += 1


def _pixels(images: Tensor) -> Float[Tensor, "B C *size"]:
    return stnkit.coordinates.widened(images)


def _least_variance(images: Tensor) -> Float[Tensor, ""]:
    """The variance of images in their unit, squared, below which they are blank."""
    return _BLANK * images.square().mean()


def _share(within: Tensor, total: Tensor, before: Tensor, least: Tensor) -> Tensor:
    """1 − (D − N) / max(D, D₀/2): 1 for images whose variances are below the least."""
    whole = torch.maximum(torch.maximum(total, before / 2), least)
    return 1 - (total - within) / torch.where(whole > 0, whole, 1.0)


@stnkit.families.cached
def _blur_matrix(n: int, sigma: float, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "n n"]:
    """The Gaussian filter of a row of n pixels as a matrix, mirrored at the edges."""
    return torch.from_numpy(scipy.ndimage.gaussian_filter1d(np.eye(n), sigma, axis=0)).to(device, dtype)


def _squared_volume(points: Float[Tensor, "B N ndim"]) -> Float[Tensor, "B"]:
    centered = points - points.mean(dim=1, keepdim=True)
    return torch.linalg.det(centered.mT @ centered / points.shape[1])


def _over_processes(part: Tensor) -> Tensor:
    """The sum over the processes of a run."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        part = part.clone()
        torch.distributed.all_reduce(part)
    return part


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("alignment", Alignment)
