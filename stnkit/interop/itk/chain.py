"""Transforms of ITK one after another: of values, and of live objects of SimpleITK."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from stnkit.errors import InputError
from stnkit.interop.itk.geometry import affine_matrix
from stnkit.interop.itk.linear import affine_transform, is_linear, matrix_of
from stnkit.interop.itk.transform import COMPOSITE, Chain, Transform, of_type_name, type_name

# Of the largest entry. Near 180° the parameters of a versor tell its matrix less exactly than that.
ROUNDING = 1e-12


def chain_of(transform: Any) -> Chain:
    """The transforms of a composite, one after another; of any other transform itself alone.

    Args:
        transform: a `Transform`, a sequence of them, or a transform of SimpleITK.

    Raises:
        InputError: when it is none of these, is empty, or mixes numbers of dimensions.
    """
    chain = tuple(_flat(transform))
    if len({each.ndim for each in chain}) != 1:
        raise InputError(f"transform: expected transforms of one number of dimensions, got {len(chain)} transforms")
    for each in chain:
        if not all(map(math.isfinite, (*each.parameters.tolist(), *each.fixed_parameters.tolist()))):
            raise InputError(f"{each.name}: expected finite parameters, got one that is not")
    return chain


def _flat(transform: Any) -> Iterable[Transform]:
    if isinstance(transform, Transform):
        return [transform]
    if isinstance(transform, Sequence) and not isinstance(transform, str):
        return [each for inner in transform for each in _flat(inner)]
    methods = ("GetName", "GetDimension", "GetParameters", "GetFixedParameters")
    if not all(callable(getattr(transform, method, None)) for method in methods):
        raise InputError(f"transform: expected a transform with {', '.join(methods)}, got {type(transform).__name__}")
    name, ndim = transform.GetName(), transform.GetDimension()
    if name == COMPOSITE:
        return [each for i in range(transform.GetNumberOfTransforms()) for each in _flat(transform.GetNthTransform(i))]
    if name == "Transform" and not transform.GetParameters():
        name = "IdentityTransform"
    if callable(getattr(transform, "GetOrder", None)) and transform.GetOrder() != 3:
        raise InputError(f"{name}: expected splines of order 3, got order {transform.GetOrder()}")
    # In the form of a file's entry, so that both are checked in one place.
    told = of_type_name(type_name(name, ndim), transform.GetParameters(), transform.GetFixedParameters())
    return [_as_computed(transform, told)]


def _as_computed(transform: Any, told: Transform) -> Transform:
    """The transform of an object's parameters, or the affine one that it computes with, where that is another map.

    The parameters of a versor are those of the shorter of two rotations, not of one by more than 180°. Some setters, as
    of scales, leave an object's offset as it was.
    """
    if not is_linear(told) or not all(callable(getattr(transform, m, None)) for m in ("GetMatrix", "TransformPoint")):
        return told
    linear = np.reshape(np.asarray(transform.GetMatrix(), dtype=np.float64), (told.ndim, told.ndim))
    offset = np.array(transform.TransformPoint([0.0] * told.ndim))
    matrix, center = matrix_of(told), told.fixed_parameters[: told.ndim]
    length = np.abs([*offset, *matrix[:-1, -1], *center]).max()
    turned = np.abs(linear - matrix[:-1, :-1]).max() > ROUNDING * np.abs(linear).max()
    moved = np.abs(offset - matrix[:-1, -1]).max() > ROUNDING * length
    return affine_transform(affine_matrix(linear, offset)) if turned or moved else told
