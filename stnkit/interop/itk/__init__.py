"""θ to and from ITK, SimpleITK, ANTs and elastix: affine maps, B-splines and displacement fields in physical space."""

from stnkit.interop.itk.elastix import elastix_parameters
from stnkit.interop.itk.files import read, write
from stnkit.interop.itk.geometry import Geometry
from stnkit.interop.itk.maps import physical_matrix, source_points
from stnkit.interop.itk.theta_of_transforms import theta_of_transforms
from stnkit.interop.itk.transform import Transform
from stnkit.interop.itk.transforms_of_theta import transforms_of_theta

__all__ = [
    "Geometry",
    "Transform",
    "elastix_parameters",
    "physical_matrix",
    "read",
    "source_points",
    "theta_of_transforms",
    "transforms_of_theta",
    "write",
]
