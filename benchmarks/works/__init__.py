"""The works, in the order of the results: a file for each kind."""

from works import (
    affine,
    bspline,
    data,
    families,
    formats,
    growth,
    piecewise_affine,
    projective,
    sampling,
    tps,
    training,
)

KINDS = (affine, projective, tps, piecewise_affine, bspline, sampling, families, training, data, formats, growth)
WORKS = [work for kind in KINDS for work in kind.WORKS]
