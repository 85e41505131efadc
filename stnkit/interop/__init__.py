"""Maps as other tools take them: a module for each tool, which does not import it.

Functions that lead to a tool return arrays of NumPy in float64, where the tool asks for no other dtype, or tensors
where it is one of torch, with the batch first. Functions that lead back return θ, a tensor in float64.
"""

from stnkit.interop import align_corners, boxes, itk, kornia, monai, opencv, pillow, scikit_image, scipy, torchvision
from stnkit.interop.pixels import pixel_map, pixel_matrix
from stnkit.interop.thetas import theta_of_pixel_map, theta_of_pixel_matrix

__all__ = [
    "align_corners",
    "boxes",
    "itk",
    "kornia",
    "monai",
    "opencv",
    "pillow",
    "pixel_map",
    "pixel_matrix",
    "scikit_image",
    "scipy",
    "theta_of_pixel_map",
    "theta_of_pixel_matrix",
    "torchvision",
]
