"""Flows of velocity fields: of continuous piecewise affine ones, with their tessellations, and of B-splines."""

from stnkit.families.flows.integration import flow, flow_lattice
from stnkit.families.flows.spline import spline_flow
from stnkit.families.flows.tessellation import Tessellation

__all__ = ["Tessellation", "flow", "flow_lattice", "spline_flow"]
