"""Transform parameters of elastix."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from stnkit.errors import InputError
from stnkit.interop.itk.chain import chain_of
from stnkit.interop.itk.geometry import Geometry
from stnkit.interop.itk.lattices import SPLINE, lattice_of
from stnkit.interop.itk.linear import affine_transform, is_linear
from stnkit.interop.itk.maps import chain_matrix, check_dimensions
from stnkit.interop.itk.transform import Transform

Parameters = dict[str, tuple[str | int | float, ...]]


def elastix_parameters(transform: Any, fixed: Geometry) -> str:
    """The text of a TransformParameters file of elastix, for transformix or its Python package.

    elastix' `Direction` is D column by column, where ITK's is row by row. Its default interpolator is a cubic B-spline;
    the file asks for the linear one.

    Args:
        transform: linear ones, of which the last acts first, or one BSplineTransform: a `Transform`, a sequence of
            them, or a transform of SimpleITK.
        fixed: of the output.

    Raises:
        InputError: for any other transform, or other dimensions than those of the geometry.

    Example:
        >>> import numpy as np
        >>> from stnkit.interop import itk
        >>> shift = itk.Transform("TranslationTransform", 2, np.array([3.0, 4.0]), np.array([]))
        >>> print(itk.elastix_parameters(shift, itk.Geometry((37, 23))).splitlines()[2])
        (TransformParameters 1.0 0.0 0.0 1.0 3.0 4.0)

    Source: Klein and Staring, elastix, the manual, on the transform parameter file; tried with itk-elastix 0.25.4.
    """
    chain = chain_of(transform)
    check_dimensions(chain[0].ndim, fixed=fixed)
    if all(map(is_linear, chain)):
        affine = affine_transform(chain_matrix(chain, fixed.ndim))
        values = {**_head(affine), "CenterOfRotationPoint": (0.0,) * fixed.ndim}
    elif len(chain) == 1 and chain[0].name == SPLINE:
        values = {**_head(chain[0]), **_spline(chain[0])}
    else:
        told = ", ".join(each.type_name for each in chain)
        raise InputError(f"expected linear transforms or one {SPLINE}, got {told}")
    return _written({**values, **_output(fixed)})


def _head(transform: Transform) -> Parameters:
    return {
        "Transform": (transform.name,),
        "NumberOfParameters": (len(transform.parameters),),
        "TransformParameters": tuple(transform.parameters.tolist()),
        "InitialTransformParameterFileName": ("NoInitialTransform",),
        "HowToCombineTransforms": ("Compose",),
    }


def _spline(transform: Transform) -> Parameters:
    lattice = lattice_of(transform)
    assert lattice is not None
    grid = _placed(lattice.geometry)
    return {
        **{f"Grid{name}": values for name, values in grid.items()},
        "BSplineTransformSplineOrder": (3,),
        "UseCyclicTransform": ("false",),
    }


def _output(fixed: Geometry) -> Parameters:
    return {
        "FixedImageDimension": (fixed.ndim,),
        "MovingImageDimension": (fixed.ndim,),
        "FixedInternalImagePixelType": ("float",),
        "MovingInternalImagePixelType": ("float",),
        **_placed(fixed),
        "UseDirectionCosines": ("true",),
        "Resampler": ("DefaultResampler",),
        "ResampleInterpolator": ("FinalLinearInterpolator",),
        "DefaultPixelValue": (0.0,),
        "ResultImageFormat": ("nii",),
        "ResultImagePixelType": ("float",),
        "CompressResultImage": ("false",),
    }


def _placed(geometry: Geometry) -> Parameters:
    direction = np.reshape(geometry.direction, (geometry.ndim,) * 2)
    return {
        "Size": geometry.size,
        "Index": (0,) * geometry.ndim,
        "Spacing": geometry.spacing,
        "Origin": geometry.origin,
        "Direction": tuple(direction.T.ravel().tolist()),
    }


def _written(parameters: Mapping[str, Iterable[str | int | float]]) -> str:
    def word(value: str | int | float) -> str:
        return f'"{value}"' if isinstance(value, str) else repr(value)

    return "".join(f"({name} {' '.join(map(word, values))})\n" for name, values in parameters.items())
