"""θ as transforms of ITK."""

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from stnkit import coordinates
from stnkit.errors import InputError
from stnkit.families.family import TransformFamily
from stnkit.families.matrix_form import matrix_form
from stnkit.interop.itk.geometry import Geometry, transformed
from stnkit.interop.itk.lattices import Lattice, spline_lattice
from stnkit.interop.itk.linear import affine_transform
from stnkit.interop.itk.maps import check_dimensions
from stnkit.interop.itk.transform import Chain
from stnkit.interop.pixels import as_theta

# Two maps are one where they differ by less, in normalized units: rounding, after a sum of 64 control points.
_ROUNDING = 1e-9
# Points at which a family's map is compared with a lattice's.
_N_POINTS = 256


def transforms_of_theta(
    family: TransformFamily, theta: Shaped[Tensor | np.ndarray, "*one P"], moving: Geometry, fixed: Geometry
) -> Chain:
    """G(moving) ∘ T_θ ∘ G(fixed)⁻¹ as transforms of ITK, for `Resample(moving, fixed, transform)`.

    - An affine map becomes one AffineTransform with the center 0, also for ANTs and elastix.
    - A lattice of displacements becomes one BSplineTransform or one DisplacementFieldTransform over the fixed image,
      exact at every point of it, if T_θ is that of `transform=bspline` without pinned points, or of
      `transform=displacement`. With `Geometry.normalized` its parameters are those of θ. If the images do not
      cover the same box, an AffineTransform from one box to the other follows it.
    - Any other map becomes a DisplacementFieldTransform on the pixels of the fixed image, exact at these.

    ITK and stnkit agree within rounding where the source is between the outermost pixel centers of the moving image.
    Beyond these ITK goes on with the edge for half a pixel and answers the default value from there on, where
    `padding=zeros` blends into 0 over a whole pixel: in this band they differ by up to the contrast itself. SimpleITK
    cuts the fractions off an image of whole numbers. A projective map has no source behind its horizon, and the
    field leads far outside there.

    Args:
        family: of maps of the dimensions of the images.
        theta: one row of parameters, of shape (P,) or (1, P), a tensor or an array.
        moving: of the image that is read.
        fixed: of the output.

    Returns:
        One transform or two, of which the last acts first.

    Raises:
        InputError: when θ is not one row of finite numbers, or a geometry has other dimensions than the family.

    Example:
        >>> import torch, stnkit
        >>> from stnkit.interop import itk
        >>> family = stnkit.build("transform", "translation")
        >>> image = itk.Geometry((10, 4), spacing=(2.0, 1.0))
        >>> (shift,) = itk.transforms_of_theta(family, torch.tensor([0.5, 0.0]), image, image)
        >>> shift.name, shift.parameters.tolist()
        ('AffineTransform', [1.0, 0.0, 0.0, 1.0, 5.0, 0.0])
    """
    if not isinstance(family, TransformFamily):
        raise InputError(f"family: expected a TransformFamily, got {type(family).__name__}")
    check_dimensions(family.ndim, moving=moving, fixed=fixed)
    row = one_row(family, theta)
    to_moving, from_fixed = moving.normalized_to_physical, np.linalg.inv(fixed.normalized_to_physical)
    matrix = _affine_matrix(family, row)
    if matrix is not None:
        return (affine_transform(to_moving @ matrix @ from_fixed),)
    lattice = _displaced_lattice(family, row, fixed)
    if lattice is None:
        with torch.no_grad():
            source = family.grid(row, fixed.shape).view(-1, family.ndim).cpu().numpy()
        pixels = Lattice(fixed, np.zeros_like(source), is_spline=False).points
        return (Lattice(fixed, transformed(to_moving, source) - pixels, is_spline=False).transform,)
    boxes = to_moving @ from_fixed
    extent = np.linalg.norm(fixed.normalized_to_physical[:-1, :-1], axis=0).min()
    corners = transformed(fixed.normalized_to_physical, coordinates.corners(family.ndim, device="cpu").numpy())
    if np.abs(transformed(boxes, corners) - corners).max() < _ROUNDING * extent:
        return (lattice.transform,)
    return affine_transform(boxes), lattice.transform


def one_row(family: TransformFamily, theta: Shaped[Tensor | np.ndarray, "*one P"]) -> Float[Tensor, "1 P"]:
    """θ as a batch of one row of float64.

    Args:
        family: of maps.
        theta: of shape (P,) or (1, P).

    Raises:
        InputError: when it is anything else, or not finite.
    """
    theta = as_theta(theta)
    row = family.check_theta(theta[None] if theta.ndim == 1 else theta).detach().double()
    if row.shape[0] != 1:
        raise InputError(f"theta: expected one row of parameters, got {row.shape[0]}")
    if not row.isfinite().all():
        raise InputError("theta: expected finite numbers, got one that is not")
    return row


def _affine_matrix(family: TransformFamily, theta: Float[Tensor, "1 P"]) -> Float[np.ndarray, "rows rows"] | None:
    """The matrix of T_θ with the last row 0 … 0 1, or None."""
    with torch.no_grad():
        form = matrix_form(family, theta)
    if form is None:
        return None
    matrix = form[0].cpu().numpy()
    is_affine = matrix[-1, -1] > 0 and not matrix[-1, :-1].any()
    return matrix / matrix[-1, -1] if is_affine else None


def _displaced_lattice(family: TransformFamily, theta: Float[Tensor, "1 P"], fixed: Geometry) -> Lattice | None:
    """The lattice over the fixed image whose map is T_θ, or None."""
    for is_spline, counts in displacement_lattices(family):
        vectors = theta.view(family.ndim, -1).T.cpu().numpy()
        over = Geometry.normalized(counts), Geometry.normalized(fixed.shape)
        normalized = Lattice(spline_lattice(over[1], counts) if is_spline else over[0], vectors, is_spline)
        # Other families hold lattices too: of velocities, or with other kernels between the points.
        points = np.random.default_rng(0).uniform(-1, 1, (_N_POINTS, family.ndim))
        with torch.no_grad():
            source = family(theta, torch.from_numpy(points)[None].to(theta.device))[0].cpu().numpy()
        if np.abs(normalized(points) - source).max() < _ROUNDING * (1 + np.abs(source).max()):
            geometry = spline_lattice(fixed, counts) if is_spline else fixed.covered_by(counts)
            return Lattice(geometry, vectors @ fixed.normalized_to_physical[:-1, :-1].T, is_spline)
    return None


def displacement_lattices(family: TransformFamily) -> list[tuple[bool, tuple[int, ...]]]:
    """True and the numbers of points for a lattice of cubic control points, False and they for the cells of a field.

    Args:
        family: of any maps; without a lattice there is nothing.
    """
    counts, extent = family.lattice_shape, family.lattice_extent
    if counts is None or extent is None:
        return []
    is_spline = min(counts) > 3 and np.allclose(extent, [(n - 1) / (n - 3) for n in counts])
    is_field = np.allclose(extent, [1 - 1 / n for n in counts])
    return [(kind, counts) for kind, holds in ((True, is_spline), (False, is_field)) if holds]
