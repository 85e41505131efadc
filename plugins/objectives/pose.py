"""Pose: the distance of the output's corners from their true positions."""

import enum
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

import stnkit
from stnkit.errors import InputError
from stnkit.objectives import Batch, Figure, Setting

# Half images from the center. Points that a map sends beyond, close to a horizon, would outweigh all others.
FARTHEST = 10.0
# Half images. Huber's loss is quadratic below.
KNEE = 0.05
# The corners of an image as a closed line.
_AROUND = [0, 1, 3, 2, 0]


class Truth(enum.StrEnum):
    """The source of the true positions of the corners."""

    distortion = "distortion"
    theta = "theta"
    corners = "corners"


class Distance(enum.StrEnum):
    """The distance of two points, of which training minimizes the mean."""

    l1 = "l1"  # sum of the absolute differences of the coordinates
    l2 = "l2"  # Euclidean
    huber = "huber"  # Euclidean, and quadratic near 0


class _Task(NamedTuple):
    """The surroundings that the losses need.

    Args:
        truth: the source of c*.
        family: of the transformer.
        distortion: the family of D.
        undo: True if M = D∘T_θ, False if M = T_θ.
        size: of the images in whose pixels errors are measured.
    """

    truth: Truth
    family: stnkit.TransformFamily
    distortion: stnkit.TransformFamily
    undo: bool
    size: tuple[int, ...]


class Pose(stnkit.Objective):
    """mean |M(c) − c*| over the corners c of the transformer's output: T_θ shows them where they truly are.

    By `target`:

        corners     M = D∘T_θ, c* the targets, (2^ndim, ndim) pixel indices in the original image, x before y
        theta       M = D∘T_θ, c* = T_θ*(c) for the targets θ*, (n_params,) of the same transform
        distortion  M = D∘T_θ, c* = c: the transformer undoes the distortion D
        distortion  M = T_θ, c* = D(c) between the images of a pair: the transformer finds the map of the pair

    Corners are in the order of pixels, x varying fastest, at the outer edges of the image: the first one of an image
    of W pixels is at x = −½, the second at x = W − ½. Distances are in pixels of the original image, of the moving one
    in a pair; the loss is in halves of its shorter side. A point farther than 10 half images from the center counts as
    if it were there. `corner_error_identity` is the figure of a transformer with T_θ(p) = p.

    Args:
        target: the source of c*: corners, theta or distortion; null for corners or theta if the dataset declares
            targets of that shape, else distortion.
        distance: l1, l2 or huber: that of two points, of which the loss is the mean.

    Raises:
        InputError: when an option is none of these.

    Example:
        >>> import stnkit
        >>> stnkit.build("objective", "pose").primary
        'corner_error'

    Source: DeTone, Malisiewicz, Rabinovich 2016, Deep Image Homography Estimation, section 5 (mean corner error).
    """

    figures: Mapping[str, Figure] = {"corner_error": Figure("px"), "corner_error_identity": Figure("px")}
    needs = ("transformer",)
    default_network = "none"

    def __init__(self, target: Truth | str | None = None, distance: Distance | str = Distance.l2) -> None:
        super().__init__()
        if target is not None and target not in [*Truth]:
            raise InputError(f"objective.target: expected one of {', '.join(Truth)}, or null, got {target!r}")
        if distance not in [*Distance]:
            raise InputError(f"objective.distance: expected one of {', '.join(Distance)}, got {distance!r}")
        self.target = None if target is None else Truth(target)
        self.distance = Distance(distance)
        self._task: _Task | None = None

    def prepare(self, setting: Setting) -> None:
        transformer, distortion = setting.transformer, setting.distortion
        if transformer is None:
            raise InputError("objective=pose: expected one spatial transformer at the input, got none")
        if transformer.family.is_chart:
            name = type(transformer.family).__name__
            raise InputError(f"objective=pose: expected a transform that may be the identity, got the chart {name}")
        family, declared, pair = (
            transformer.family,
            setting.dataset.target_shape,
            transformer.sampled_channels is not None,
        )
        shapes = _target_shapes(family)
        truth = self.target or next((truth for truth in shapes if shapes[truth] == declared), Truth.distortion)
        if truth in shapes and declared is not None and tuple(declared) != shapes[truth]:
            raise InputError(_wrong_targets(truth, shapes[truth], declared))
        known = stnkit.distortions.gives_true_theta(distortion, pair=pair)
        if self.target is None and declared and truth is Truth.distortion and not stnkit.distortions.moves(distortion):
            expected = " or ".join(f"{shape} for {name}" for name, shape in shapes.items())
            raise InputError(f"objective=pose: expected targets of shape {expected}, got {tuple(declared)}")
        _check_distortion(distortion, truth, known=known, pair=pair)
        undo = known and not pair
        size = setting.dataset.image_shape[1:] if undo else setting.in_shape[1:]
        self._task = _Task(truth, family, distortion.family, undo, tuple(size))

    def check_targets(self, targets: Shaped[Tensor, "N *target"]) -> None:
        task = self._prepared()
        shape = _target_shapes(task.family).get(task.truth)
        if shape is not None and tuple(targets.shape[1:]) != shape:
            raise InputError(_wrong_targets(task.truth, shape, targets.shape[1:]))
        if shape is not None and (targets.is_complex() or targets.dtype == torch.bool):
            raise InputError(f"objective.target={task.truth}: expected targets of real numbers, got {targets.dtype}")

    def losses(self, batch: Batch) -> Mapping[str, Float[Tensor, ""]]:
        shown, true = self._points(batch.of_data())
        return {"loss": self._distances(shown - true).mean()}

    def measure(self, batch: Batch) -> Mapping[str, Shaped[Tensor, "B"]]:
        batch = batch.of_data()
        return {
            "corner_error": _mean_distance(*self._points(batch)),
            "corner_error_identity": _mean_distance(*self._points(batch, identity=True)),
        }

    def outlines(self, batch: Batch) -> Mapping[str, Float[Tensor, "B points 2"]]:
        task, theta = self._prepared(), _theta(batch)
        if task.family.ndim != 2:
            return {}
        with stnkit.coordinates.full_precision(theta):
            border = stnkit.coordinates.border(dtype=theta.dtype, device=theta.device)[None]
            if task.truth is Truth.corners:
                true = stnkit.coordinates.from_pixels(batch.targets.to(theta)[:, _AROUND], task.size)
            else:
                true = _wanted(task, batch, border).expand(len(theta), -1, -1)
            if task.undo:
                true = task.distortion.inverse(_true_theta(batch), true)
            return {"true place": true, "found": task.family(theta, border)}

    def _prepared(self) -> _Task:
        if self._task is None:
            raise InputError("Pose: expected a call of prepare(setting) before the first batch, got none")
        return self._task

    def _points(self, batch: Batch, *, identity: bool = False) -> tuple[Tensor, Tensor]:
        """M(c) and c* in pixels, (B or 1, corners, ndim); the first one with T_θ(p) = p if it is asked for."""
        task, theta = self._prepared(), _theta(batch)
        with stnkit.coordinates.full_precision(theta):
            corners = stnkit.coordinates.corners(task.family.ndim, device=theta.device).to(theta)[None]
            shown = corners if identity else task.family(theta, corners)
            if task.undo:
                shown = stnkit.families.onward(task.distortion, _true_theta(batch), shown)
            if task.truth is Truth.corners:
                return _in_pixels(shown, task), batch.targets.to(theta)
            return _in_pixels(shown, task), _in_pixels(_wanted(task, batch, corners), task)

    def _distances(self, difference: Float[Tensor, "B corners ndim"]) -> Float[Tensor, "B corners"]:
        """Distances in halves of the shorter side of differences in pixels."""
        difference = difference * (2 / min(self._prepared().size))
        if self.distance is Distance.l1:
            return difference.abs().sum(dim=-1)
        norm = torch.linalg.vector_norm(difference, dim=-1)
        if self.distance is Distance.l2:
            return norm
        return torch.where(norm < KNEE, norm.square() / (2 * KNEE), norm - KNEE / 2)


def _check_distortion(distortion: stnkit.Distortion, truth: Truth, *, known: bool, pair: bool) -> None:
    """Raise an InputError if the true positions do not follow from the distortion and the targets."""
    moves = stnkit.distortions.moves(distortion)
    got = type(distortion).__name__ if moves else "one that moves nothing"
    if distortion.between_pair and not pair:
        raise InputError(f"objective=pose: expected placement=pair for {got}, got another placement")
    if truth is Truth.distortion and not (known and moves):
        between = "moves the images of each pair against each other" if pair else "has one map for all channels"
        raise InputError(f"objective.target=distortion: expected a distortion that {between}, got {got}")
    if truth is not Truth.distortion and moves and (pair or not known):
        allowed = "distortion=none" if pair else "distortion=none or one with one map for all channels"
        raise InputError(f"objective.target={truth}: expected {allowed}, got {got}")


def _target_shapes(family: stnkit.TransformFamily) -> dict[Truth, tuple[int, ...]]:
    return {Truth.corners: (2**family.ndim, family.ndim), Truth.theta: (family.n_params,)}


def _wrong_targets(truth: Truth, expected: tuple[int, ...], given: Iterable[int]) -> str:
    return f"objective.target={truth}: expected a target of shape {expected} for each image, got {tuple(given)}"


def _theta(batch: Batch) -> Float[Tensor, "B P"]:
    assert batch.theta is not None
    return batch.theta


def _true_theta(batch: Batch) -> Float[Tensor, "B Q"]:
    assert batch.true_theta is not None
    return batch.true_theta.to(_theta(batch))


def _wanted(task: _Task, batch: Batch, points: Float[Tensor, "1 N ndim"]) -> Float[Tensor, "#B N ndim"]:
    """The true positions of points of the output, where they do not have to be the corners."""
    if task.truth is Truth.theta:
        return task.family(batch.targets.to(_theta(batch)), points)
    return points if task.undo else task.distortion(_true_theta(batch), points)


def _in_pixels(points: Float[Tensor, "B corners ndim"], task: _Task) -> Float[Tensor, "B corners ndim"]:
    return stnkit.coordinates.to_pixels(stnkit.coordinates.finite(points, FARTHEST), task.size)


def _mean_distance(shown: Tensor, true: Tensor) -> Float[Tensor, "B"]:
    """The Euclidean distance in pixels, mean over the corners of each image."""
    return torch.linalg.vector_norm(shown - true, dim=-1).mean(dim=-1)


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("pose", Pose)
