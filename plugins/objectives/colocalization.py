"""Co-localization: the object that the images of a class have in common, found from the labels of the images."""

import math
from collections.abc import Iterable, Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

import stnkit
from stnkit.distortions import describes, moves
from stnkit.objectives import Batch, Figure, Setting

# Points along each axis of [-1, 1], edges included, whose images span a box: an affine map needs the corners alone.
POINTS = 5
# Images of other classes that an image is compared with, the next ones of the batch: memory is that of B² times these.
OTHERS = 64


class Colocalization(stnkit.Objective):
    """max(0, |e(A) − e(B)|² − |e(A) − e(R)|² + margin), mean over the triplets of a batch.

    A and B are the transformer's outputs for two images of one class. R is a random crop of A's image: the window of
    the transformer, T_θ([-1, 1]²), moved to a random place inside the image. e is the network, whose outputs are
    standardized over the batch and scaled to length 1: distances are between 0 and 4, a constant e costs the margin,
    and no e wins by growing. An image that is alone in its class in a batch makes no triplet.

    A term of the same form, `classes`, has crops of the other classes in place of R. Without it, windows that avoid the
    object are an optimum too where most of an image is background; so random crops count by 1 − classes / margin, as
    far as the classes are told apart. The term `window` is (log r)² for the sides of the window, r times those at which
    a pixel of the output is as large as one of the image, plus the squared distances by which its faces are outside of
    the image, in units of those sides: otherwise a window of a single point wins.

    Judged by the place of the original image in the distorted one, where the distortion tells it: the box of
    D⁻¹([-1, 1]²), the frame of the original and not its ink, beside that of T_θ([-1, 1]²). `found` is the share of
    images with an intersection over union above ½, and `iou` its mean. Under other distortions, one that moves nothing
    among them, and of pairs, the figure is `ordered`, the share of an image's triplets with R farther away than B; 0
    for an image that makes none, as every image counts in a figure. It depends on the batch, as the triplets do: the
    smaller the batch, the more images are alone in their class, and the lower it is. Compare it for one batch size.

    Args:
        features: width of the embedding.
        margin: distance by which a crop of the same class is to be nearer, above 0 and below 4.
        random_crops: number of random crops of each image.
        random_weight: weight of the triplets with random crops.
        class_weight: weight of those with crops of other classes; 0 for none.
        window_weight: weight of the term `window`; 0 for none.

    Raises:
        InputError: when an option is out of its range.

    Example:
        >>> import stnkit
        >>> stnkit.build("objective", "colocalization").primary
        'found'

    Source: Jaderberg et al. 2015, appendix A.2; its triplets are those with random crops.
    """

    figures: Mapping[str, Figure] = {
        "found": Figure("%", higher_is_better=True),
        "iou": Figure(higher_is_better=True),
    }
    terms = ("triplets", "classes", "window")
    needs = ("labels", "transformer")
    default_network = "compact_cnn"

    def __init__(
        self,
        features: int = 128,
        margin: float = 1.0,
        random_crops: int = 1,
        random_weight: float = 1.0,
        class_weight: float = 1.0,
        window_weight: float = 1.0,
    ) -> None:
        super().__init__()
        for name, count in (("features", features), ("random_crops", random_crops)):
            if count < 1:
                raise stnkit.errors.InputError(f"{name}: expected a whole number of at least 1, got {count}")
        if not 0 < margin < 4:
            raise stnkit.errors.InputError(f"margin: expected a number above 0 and below 4, got {margin}")
        self.weights = {"triplets": random_weight, "classes": class_weight, "window": window_weight}
        options = ("random_weight", "class_weight", "window_weight")
        for name, weight in zip(options, self.weights.values(), strict=True):
            if not 0 <= weight < math.inf:
                raise stnkit.errors.InputError(f"{name}: expected a number of at least 0, got {weight}")
        self.features = features
        self.margin = margin
        self.random_crops = random_crops

    def n_outputs(self, dataset: stnkit.Dataset) -> int:
        return self.features

    def prepare(self, setting: Setting) -> None:
        assert setting.transformer is not None
        # Inside of a Setting, which is no module: the transformer belongs to the network, not to the objective too.
        self._setting = setting
        # Of pairs the true θ is known between the two images alone, and no place in the moving one follows from it.
        single = setting.transformer.sampled_channels is None
        # Without a move the original is the whole image, and `found` would reward the largest window.
        placed = describes(setting.distortion, setting.transformer.family.ndim) and moves(setting.distortion)
        self._knows = single and placed
        if not self._knows:
            self.figures = {"ordered": Figure("%", higher_is_better=True)}

    @property
    def _transformer(self) -> stnkit.SpatialTransformer:
        transformer = self._setting.transformer
        assert transformer is not None
        return transformer

    def losses(self, batch: Batch) -> Mapping[str, Float[Tensor, ""]]:
        near, far = self.distances(batch)
        same = batch.targets[:, None] == batch.targets
        pairs = same & ~torch.eye(len(same), dtype=torch.bool, device=same.device)
        classes = self._class_hinge(near, same, pairs)
        # Crops of the background are the most alike: random crops would send every window there before e is of use.
        trust = 1 - classes.detach() / self.margin if self.weights["classes"] > 0 else torch.ones_like(classes)
        trust = trust.clamp(min=0)
        terms = {
            "triplets": trust * _hinge(near, far, pairs[..., None].expand(-1, -1, far.shape[1]), self.margin),
            "classes": classes,
            "window": self._window(batch),
        }
        return {name: self.weights[name] * term for name, term in terms.items()}

    def measure(self, batch: Batch) -> Mapping[str, Shaped[Tensor, "B"]]:
        if self._knows:
            overlap = intersection_over_union(*self._boxes(batch))
            return {"found": 100.0 * (overlap > 0.5), "iou": overlap}
        near, far = self.distances(batch)
        pairs = (batch.targets[:, None] == batch.targets).fill_diagonal_(False)
        ordered = ((near[..., None] < far[:, None]) & pairs[..., None]).sum(dim=(1, 2))
        return {"ordered": 100.0 * ordered / (pairs.sum(dim=1) * far.shape[1]).clamp(min=1)}

    def distances(self, batch: Batch) -> tuple[Float[Tensor, "B B"], Float[Tensor, "B R"]]:
        """|e(A) − e(B)|² for all pairs of a batch, and |e(A) − e(R)|² for the random crops of each image.

        The network reads all crops at once, so that batch-norm treats those of the transformer like random ones.

        Args:
            batch: whose straightened images are A and B.
        """
        crops = torch.cat([batch.straightened, *self.crops(batch)])
        encoded = stnkit.coordinates.widened(batch.network(crops).flatten(1))
        encoded = F.normalize(F.batch_norm(encoded, None, None, training=True), dim=1)
        own = encoded[: len(batch.images)]
        random = encoded[len(own) :].view(self.random_crops, len(own), -1).transpose(0, 1)
        # |a − b|² = 2 − 2 a·b for vectors of length 1; products are finite in their gradients where a = b.
        with stnkit.coordinates.full_precision(own):
            return 2 - 2 * own @ own.T, 2 - 2 * (random @ own[..., None])[..., 0]

    def crops(self, batch: Batch) -> list[Float[Tensor, "B C *out_size"]]:
        """Random crops of each image: the transformer's window, moved by U to a place inside the image.

        A window that is larger than the image is moved to a place that contains it. Gradients do not reach θ.

        Args:
            batch: with θ of the transformer, and the generator.
        """
        theta = batch.theta
        assert theta is not None
        family = self._transformer.family
        grid = family.grid(theta.detach(), batch.straightened.shape[2:])
        images = self._transformer.sampled(batch.images)
        low, high = self._windows(batch).detach().unbind(dim=1)
        crops = []
        for _ in range(self.random_crops):
            u = torch.rand(low.shape, generator=batch.draws).to(low)
            shift = -1 - low + u * (2 - (high - low))
            shift = shift.view(len(shift), *[1] * family.ndim, family.ndim)
            crops.append(self._transformer.sampler(images, grid + shift).to(batch.straightened))
        return crops

    def _class_hinge(
        self, near: Float[Tensor, "B B"], same: Bool[Tensor, "B B"], pairs: Bool[Tensor, "B B"]
    ) -> Float[Tensor, ""]:
        n = len(near)
        steps = torch.arange(1, min(n, OTHERS + 1), device=near.device)
        others = (torch.arange(n, device=near.device)[:, None] + steps) % n
        return _hinge(near, near.gather(1, others), pairs[..., None] & ~same.gather(1, others)[:, None], self.margin)

    def _window(self, batch: Batch) -> Float[Tensor, ""]:
        box = self._windows(batch)
        sizes = zip(batch.straightened.shape[:1:-1], batch.images.shape[:1:-1], strict=True)
        expected = box.new_tensor([2 * shown / full for shown, full in sizes])
        ratio = (box[:, 1] - box[:, 0]).clamp(min=1e-6) / expected
        outside = (box.abs() - 1).clamp(min=0) / expected
        return (ratio.log().square().sum(dim=1) + outside.square().sum(dim=(1, 2))).mean()

    def boxes(self, batch: Batch) -> tuple[Float[Tensor, "N 2 ndim"], Float[Tensor, "N 2 ndim"] | None]:
        """The boxes of the windows and of the true places, None where they are unknown, in pixels of the image.

        A box is its corner of least and that of largest coordinates, x before y; pixel 0 reaches from −½ to ½.

        Args:
            batch: with θ of the transformer and the true θ.
        """
        size = batch.images.shape[2:]
        if not self._knows:
            return stnkit.coordinates.to_pixels(self._windows(batch), size), None
        window, place = (stnkit.coordinates.to_pixels(box, size) for box in self._boxes(batch))
        return window, place

    def outlines(self, batch: Batch) -> Mapping[str, Float[Tensor, "B points 2"]]:
        if self._transformer.family.ndim != 2:
            return {}
        batch, border = batch.of_data(), stnkit.coordinates.border(device=batch.images.device)[None]
        assert batch.theta is not None
        lines = {"window": self._transformer.family(batch.theta, border)}
        if self._knows and batch.true_theta is not None:
            lines["true place"] = self._setting.distortion.family.inverse(batch.true_theta, border)
        return lines

    def _windows(self, batch: Batch) -> Float[Tensor, "B 2 ndim"]:
        theta = batch.theta
        assert theta is not None
        family = self._transformer.family
        return spanned(family(theta, _cube(theta, family.ndim)))

    def _boxes(self, batch: Batch) -> tuple[Float[Tensor, "N 2 ndim"], Float[Tensor, "N 2 ndim"]]:
        """Window and true place of the images of the data, in normalized units."""
        batch = batch.of_data()
        truth, family = batch.true_theta, self._setting.distortion.family
        assert truth is not None
        return self._windows(batch), spanned(family.inverse(truth, _cube(truth, family.ndim)))


def spanned(points: Float[Tensor, "B N ndim"]) -> Float[Tensor, "B 2 ndim"]:
    """The smallest and the largest coordinates of points; NaN if one of them is.

    Args:
        points: of each image.
    """
    return torch.stack([points.amin(dim=1), points.amax(dim=1)], dim=1)


def intersection_over_union(a: Float[Tensor, "B 2 ndim"], b: Float[Tensor, "B 2 ndim"]) -> Float[Tensor, "B"]:
    """|a ∩ b| / |a ∪ b| of boxes: 0 for boxes that do not meet, have no content or are not finite.

    Args:
        a: a box for each image, its smallest and its largest coordinates.
        b: likewise.
    """
    sides = torch.minimum(a[:, 1], b[:, 1]) - torch.maximum(a[:, 0], b[:, 0])
    common = sides.clamp(min=0).prod(dim=1)
    union = (a[:, 1] - a[:, 0]).prod(dim=1) + (b[:, 1] - b[:, 0]).prod(dim=1) - common
    return (common / union).nan_to_num(0.0, 0.0, 0.0)


def _cube(like: Tensor, ndim: int) -> Float[Tensor, "1 N ndim"]:
    """Points of [-1, 1]^ndim, its faces included."""
    axis = torch.linspace(-1, 1, POINTS, dtype=like.dtype, device=like.device)
    return torch.stack(torch.meshgrid([axis] * ndim, indexing="ij"), dim=-1).view(1, -1, ndim)


def _hinge(
    near: Float[Tensor, "B B"], far: Float[Tensor, "B R"], chosen: Bool[Tensor, "B B R"], margin: float
) -> Float[Tensor, ""]:
    """max(0, near − far + margin), mean over the chosen triplets; 0 if there are none."""
    hinge = (near[..., None] - far[:, None] + margin).clamp(min=0) * chosen
    return hinge.sum() / chosen.sum().clamp(min=1)


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("colocalization", Colocalization)
