"""The abstract transform families: any differentiable map, linear in θ, or a homogeneous matrix."""

from stnkit.families.caching import cached
from stnkit.families.family import TransformFamily
from stnkit.families.linear import LinearFamily
from stnkit.families.matrix import MatrixFamily
from stnkit.families.mirrored import Reflection
from stnkit.families.tensor_product import displaced_lattice

__all__ = ["LinearFamily", "MatrixFamily", "Reflection", "TransformFamily", "cached", "displaced_lattice"]
