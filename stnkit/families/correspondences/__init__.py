"""θ from correspondences: least squares on points, in closed form or iterated, differentiable in the points."""

from stnkit.families.correspondences.direct_linear_transform import direct_linear_transform
from stnkit.families.correspondences.levenberg_marquardt import gauss_newton
from stnkit.families.correspondences.linear import linear_least_squares
from stnkit.families.correspondences.procrustes import procrustes

__all__ = ["direct_linear_transform", "gauss_newton", "linear_least_squares", "procrustes"]
