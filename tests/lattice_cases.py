"""The families whose θ is a lattice, in two and three dimensions, with lattices of different sides."""

FAMILIES = [
    ("bspline", {"control_points": [5, 7]}),
    ("displacement", {"resolution": [3, 6]}),
    ("piecewise_affine", {"control_points": [3, 5]}),
    ("tps", {"control_points": [4, 3]}),
    ("bspline", {"control_points": [4, 5, 6], "ndim": 3}),
    ("displacement", {"resolution": [1, 2, 3], "ndim": 3}),
    ("piecewise_affine", {"control_points": [2, 3, 4], "ndim": 3}),
    ("tps", {"control_points": [2, 3, 2], "ndim": 3}),
]
