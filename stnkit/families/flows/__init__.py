"""Flows of continuous piecewise affine velocity fields: the tessellation, its trajectories and their derivatives."""

from stnkit.families.flows.integration import flow, flow_lattice
from stnkit.families.flows.tessellation import Tessellation

__all__ = ["Tessellation", "flow", "flow_lattice"]
