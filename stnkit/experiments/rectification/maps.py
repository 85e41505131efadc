"""Maps into the whole image: F∘T_θ, where F is the frame of what the localizer saw."""

from typing import ClassVar, NamedTuple, final

import torch
from jaxtyping import Float
from torch import Tensor

from stnkit.experiments.rectification.frame import Frame
from stnkit.families.family import TransformFamily
from stnkit.families.matrix import MatrixFamily
from stnkit.families.matrix_form import matrix_form


class ImageMap(NamedTuple):
    """A family and one θ for each image, whose maps lead from the output to the whole image."""

    family: TransformFamily
    theta: Float[Tensor, "B P"]


def image_map(family: TransformFamily, theta: Float[Tensor, "B P"], frame: Frame) -> ImageMap:
    """F∘T_θ: points of the output ↦ points of the image.

    Args:
        family: of the transformer.
        theta: one row for each image.
        frame: of all the images.
    """
    if frame.is_whole:
        return ImageMap(family, theta)
    if isinstance(family, MatrixFamily):
        matrix = frame.matrix @ family.matrix(theta.double())
        made: MatrixFamily = Affine(family.ndim) if family.affine else Projective(family.ndim)
        rows = matrix[:, :-1] if family.affine else matrix
        return ImageMap(made, rows.flatten(start_dim=1).to(theta.dtype))
    return ImageMap(Framed(family, frame), theta)


@final
class Framed(TransformFamily):
    """F∘T_θ of any family.

    Args:
        family: T.
        frame: F.
    """

    def __init__(self, family: TransformFamily, frame: Frame) -> None:
        super().__init__()
        self.family = family
        self.ndim, self.n_params, self.is_chart = family.ndim, family.n_params, family.is_chart
        self.scale, self.shift, self.matrix_of_frame = frame.scale, frame.shift, frame.matrix

    def identity(self) -> Float[Tensor, "P"]:
        return self.family.identity()

    def forward(self, theta: Float[Tensor, "B P"], points: Float[Tensor, "#B N ndim"]) -> Float[Tensor, "B N ndim"]:
        return self._in_image(self.family(theta, points))

    def _grid(self, theta: Float[Tensor, "B P"], size: tuple[int, ...]) -> Float[Tensor, "B *size ndim"]:
        return self._in_image(self.family.grid(theta, size))

    def _inverse(self, theta: Float[Tensor, "B P"], points: Float[Tensor, "#B N ndim"]) -> Float[Tensor, "B N ndim"]:
        return self.family.inverse(theta, (points - self.shift.to(points)) / self.scale.to(points))

    def _matrix_form(self, theta: Float[Tensor, "B P"]) -> Float[Tensor, "B rows rows"] | None:
        matrix = matrix_form(self.family, theta)
        return None if matrix is None else self.matrix_of_frame.to(matrix) @ matrix

    def _in_image(self, points: Tensor) -> Tensor:
        return points * self.scale.to(points) + self.shift.to(points)


@final
class Affine(MatrixFamily):
    """θ = the first rows of the matrix.

    Args:
        ndim: number of coordinates.
    """

    affine: ClassVar[bool] = True

    def __init__(self, ndim: int) -> None:
        super().__init__()
        self.ndim, self.n_params = ndim, ndim * (ndim + 1)

    def identity(self) -> Float[Tensor, "P"]:
        return torch.eye(self.ndim + 1, dtype=torch.float64)[:-1].flatten()

    def rows(self, theta: Float[Tensor, "B P"]) -> Float[Tensor, "B rows columns"]:
        return theta.view(-1, self.ndim, self.ndim + 1)


@final
class Projective(MatrixFamily):
    """θ = all rows of the matrix, whose sign says what lies in front of the horizon.

    Args:
        ndim: number of coordinates.
    """

    affine: ClassVar[bool] = False

    def __init__(self, ndim: int) -> None:
        super().__init__()
        self.ndim, self.n_params = ndim, (ndim + 1) ** 2

    def identity(self) -> Float[Tensor, "P"]:
        return torch.eye(self.ndim + 1, dtype=torch.float64).flatten()

    def rows(self, theta: Float[Tensor, "B P"]) -> Float[Tensor, "B rows columns"]:
        return theta.view(-1, self.ndim + 1, self.ndim + 1)
