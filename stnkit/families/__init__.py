"""The abstract transform families: any differentiable map, linear in θ, or a homogeneous matrix."""

from stnkit.families.aspect import chosen_aspect
from stnkit.families.caching import cached
from stnkit.families.correspondences import direct_linear_transform, gauss_newton, linear_least_squares, procrustes
from stnkit.families.delaunay import DelaunayMesh
from stnkit.families.family import TransformFamily
from stnkit.families.flows import Tessellation, flow, flow_lattice, spline_flow
from stnkit.families.grid_marks import bounded, image_by_image
from stnkit.families.lattice_basis import LatticeBasis, sum_dtype
from stnkit.families.linear import LinearFamily
from stnkit.families.log_scale import bounded_exp, log_scales
from stnkit.families.matrix import MatrixFamily
from stnkit.families.matrix_form import matrix_form
from stnkit.families.meshes import KuhnMesh, Mesh
from stnkit.families.mirrored import Reflection
from stnkit.families.onward import onward
from stnkit.families.pinned import PinnedPoints
from stnkit.families.positions import control_positions, lattice_counts
from stnkit.families.radial_kernels import RadialBasis, RadialKernel
from stnkit.families.regularity import jacobian
from stnkit.families.rotations import rotation_log, rotation_rows
from stnkit.families.runge_kutta_steps import runge_kutta
from stnkit.families.tensor_product import displaced_lattice, lattice_bending_energy
from stnkit.families.tracing import is_dual
from stnkit.portable import chosen, clamped, coordinates_last, is_exported, is_scripted, split_theta, widened_sum

__all__ = [
    "DelaunayMesh",
    "KuhnMesh",
    "LatticeBasis",
    "LinearFamily",
    "MatrixFamily",
    "Mesh",
    "PinnedPoints",
    "RadialBasis",
    "RadialKernel",
    "Reflection",
    "Tessellation",
    "TransformFamily",
    "bounded",
    "bounded_exp",
    "cached",
    "chosen",
    "chosen_aspect",
    "clamped",
    "control_positions",
    "coordinates_last",
    "direct_linear_transform",
    "displaced_lattice",
    "flow",
    "flow_lattice",
    "gauss_newton",
    "image_by_image",
    "is_dual",
    "is_exported",
    "is_scripted",
    "jacobian",
    "lattice_bending_energy",
    "lattice_counts",
    "linear_least_squares",
    "log_scales",
    "matrix_form",
    "onward",
    "procrustes",
    "rotation_log",
    "rotation_rows",
    "runge_kutta",
    "spline_flow",
    "split_theta",
    "sum_dtype",
    "widened_sum",
]
