"""θ from correspondences: least squares on points, in closed form or iterated, differentiable in the points."""

from stnkit.families.correspondences.levenberg_marquardt import gauss_newton
from stnkit.families.correspondences.linear import linear_least_squares

__all__ = ["gauss_newton", "linear_least_squares"]
