"""The abstract transform families: any differentiable map, linear in θ, or a homogeneous matrix."""

from stnkit.families.family import TransformFamily
from stnkit.families.linear import LinearFamily
from stnkit.families.matrix import MatrixFamily
from stnkit.families.memory import kept
from stnkit.families.mirrored import Reflection

__all__ = ["LinearFamily", "MatrixFamily", "Reflection", "TransformFamily", "kept"]
