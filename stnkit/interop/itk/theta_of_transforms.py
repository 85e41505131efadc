"""Transforms of ITK as θ."""

import contextlib
import math
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from stnkit.errors import DoesNotComposeError, InputError
from stnkit.families.family import TransformFamily
from stnkit.families.matrix import MatrixFamily
from stnkit.families.matrix_form import matrix_form
from stnkit.interop.itk.chain import chain_of
from stnkit.interop.itk.geometry import Geometry, transformed
from stnkit.interop.itk.lattices import FIELD, SPLINE, Lattice, lattice_of, spline_lattice
from stnkit.interop.itk.linear import is_linear
from stnkit.interop.itk.maps import chain_matrix, check_dimensions, physical_matrix, source_points
from stnkit.interop.itk.transform import Chain
from stnkit.interop.itk.transforms_of_theta import displacement_lattices

# Two maps are one where they differ by less, in normalized units: a tenth of a pixel of 100,000.
_TOLERANCE = 2e-6
_N_POINTS = 256


def theta_of_transforms(
    family: TransformFamily, transform: Any, moving: Geometry, fixed: Geometry
) -> Float[Tensor, "1 P"]:
    """θ of G(moving)⁻¹ ∘ T ∘ G(fixed), for a result of a registration by ITK.

    - Linear transforms become the θ of a family of matrices by its `from_matrix`, or where it has none by a fit.
    - A BSplineTransform of the same control points over the fixed image, or a DisplacementFieldTransform of the same
      cells, becomes the θ of `transform=bspline` or `transform=displacement`. Linear transforms before and after it
      become displacements of its points. So a field with a vector for each pixel of the fixed image is exact at these.

    `BSplineTransformInitializer` of SimpleITK ends its lattice at the outermost pixel centers, half a pixel inside of
    the edges of the image: such a spline is none of the family. Begin the registration with `transforms_of_theta` of
    the identity, whose lattice is that of the family. For any other pair, `family.fit(points, source)` takes the
    `source_points` of points of the output.

    Args:
        family: of maps of the dimensions of the images.
        transform: a `Transform`, a sequence of them of which the last acts first, or a transform of SimpleITK.
        moving: of the image that is read.
        fixed: of the output.

    Returns:
        θ of shape (1, P), in float64.

    Raises:
        InputError: when the map is none of the family's, or a transform is none of those above, or numbers of
            dimensions differ.

    Example:
        >>> import numpy as np, stnkit
        >>> from stnkit.interop import itk
        >>> family, image = stnkit.build("transform", "translation"), itk.Geometry((10, 4), spacing=(2.0, 1.0))
        >>> shift = itk.Transform("TranslationTransform", 2, np.array([5.0, 0.0]), np.array([]))
        >>> itk.theta_of_transforms(family, shift, moving=image, fixed=image)
        tensor([[0.5000, 0.0000]], dtype=torch.float64)
    """
    if not isinstance(family, TransformFamily):
        raise InputError(f"family: expected a TransformFamily, got {type(family).__name__}")
    chain = chain_of(transform)
    check_dimensions(family.ndim, moving=moving, fixed=fixed)
    check_dimensions(chain[0].ndim, moving=moving, fixed=fixed)
    has_matrices = matrix_form(family, family.identity()[None]) is not None
    if has_matrices:
        matrix = np.linalg.inv(moving.normalized_to_physical) @ physical_matrix(chain) @ fixed.normalized_to_physical
        # A family that is not closed says so, and is fitted.
        with contextlib.suppress(DoesNotComposeError):
            if isinstance(family, MatrixFamily):
                return family.from_matrix(torch.from_numpy(matrix)[None])
    # Between the outermost pixel centers: farther out fields go on in different ways.
    points = np.random.default_rng(0).uniform(-1, 1, (_N_POINTS, family.ndim)) * (1 - 1 / np.array(fixed.size))
    source = source_points(chain, points, moving, fixed)
    if has_matrices:
        theta = family.fit(torch.from_numpy(points)[None], torch.from_numpy(source)[None])
    else:
        vectors = _control_vectors(family, chain, moving, fixed)
        theta = torch.from_numpy(np.ascontiguousarray(vectors.T).reshape(1, -1))
    with torch.no_grad():
        found = family(theta, torch.from_numpy(points)[None])[0].numpy()
    error = np.abs(found - source).max()
    if error > _TOLERANCE * (1 + np.abs(source).max()):
        name = type(family).__name__
        raise InputError(f"{name}: expected the transform of a θ of this family, got one that differs by {error:.1g}")
    return theta


def _control_vectors(
    family: TransformFamily, chain: Chain, moving: Geometry, fixed: Geometry
) -> Float[np.ndarray, "K d"]:
    """The displacement of each point of the family's lattice by the chain, in normalized units."""
    name = type(family).__name__
    lattices = displacement_lattices(family)
    if not lattices:
        raise InputError(
            "family: expected matrices, or a lattice of cubic B-splines or a field of cells without pinned points, got "
            f"{name}; for another family, family.fit(points, source) gives θ, with the source of itk.source_points"
        )
    is_spline, counts = lattices[0]
    geometry = spline_lattice(fixed, counts) if is_spline else fixed.covered_by(counts)
    own = Lattice(geometry, np.zeros((math.prod(counts), family.ndim)), is_spline)
    at, lattice = _single_lattice(name, chain, own)
    to_lattice = chain_matrix(chain[at + 1 :], family.ndim) @ fixed.normalized_to_physical
    from_lattice = np.linalg.inv(moving.normalized_to_physical) @ chain_matrix(chain[:at], family.ndim)
    target = transformed(np.linalg.inv(to_lattice), lattice.points)
    if np.abs(target - transformed(np.linalg.inv(fixed.normalized_to_physical), own.points)).max() > _TOLERANCE:
        raise InputError(f"{name}: expected a lattice that covers the fixed image, got one elsewhere")
    # Both kernels reproduce linear functions from their values at the points of the lattice.
    return transformed(from_lattice, lattice.points + lattice.vectors) - target


def _single_lattice(name: str, chain: Chain, own: Lattice) -> tuple[int, Lattice]:
    """The position in the chain of its only lattice, which is of the kind and the shape of `own`, and that lattice.

    A chain of linear transforms has `own`, whose vectors are 0, at its end.
    """
    positions = [i for i, each in enumerate(chain) if not is_linear(each)]
    if not positions:
        return len(chain), own
    if len(positions) > 1:
        raise InputError(f"transform: expected one that is not linear, got {len(positions)}")
    lattice = lattice_of(chain[positions[0]])
    if lattice is None or lattice.is_spline != own.is_spline:
        told = chain[positions[0]].type_name
        raise InputError(f"{name}: expected a {SPLINE if own.is_spline else FIELD}, got {told}")
    if lattice.geometry.size != own.geometry.size:
        told = f"{list(own.geometry.shape)} points, got {list(lattice.geometry.shape)}"
        raise InputError(f"{name}: expected a lattice of {told}")
    return positions[0], lattice
