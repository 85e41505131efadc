"""Maps as other tools take them: a module for each tool, which does not import it.

Functions that lead to a tool return arrays of NumPy in float64, where the tool asks for no other dtype, with the batch
first; functions that lead back return θ, a tensor in float64.
"""

from stnkit.interop.pixels import pixel_map, pixel_matrix

__all__ = ["pixel_map", "pixel_matrix"]
