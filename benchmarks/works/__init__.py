"""The works, in the order of the results: a file for each kind."""

from works import (
    affine,
    before,
    bspline,
    cpab,
    data,
    families,
    formats,
    growth,
    native,
    piecewise_affine,
    projective,
    sampling,
    tps,
    training,
)

MATRICES = (native, before, affine, projective)
KINDS = (*MATRICES, tps, piecewise_affine, bspline, cpab, sampling, families, training, data, formats, growth)
WORKS = [work for kind in KINDS for work in kind.WORKS]
