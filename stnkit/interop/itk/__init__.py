"""θ to and from ITK, SimpleITK and ANTs: affine maps, B-splines and displacement fields in physical space."""

from stnkit.interop.itk.files import read, write
from stnkit.interop.itk.from_theta import from_theta
from stnkit.interop.itk.geometry import Geometry
from stnkit.interop.itk.maps import source_points
from stnkit.interop.itk.transform import Transform

__all__ = ["Geometry", "Transform", "from_theta", "read", "source_points", "write"]
