"""Measured numbers: sizes at which one form of a grid becomes faster than another, and the bounds of caches.

Each names the machine and the day it was measured on. They decide about speed and memory only, never about values.
Machine A: AMD EPYC, 2 cores, 24 GB, no GPU, torch 2.13.0.
"""

# Bytes that the cached bases of one family may take: 64 control points on 1024 × 1024 pixels in float32 are 281 MB.
# (Machine A, 2026-11-22)
BASIS_CACHE_BYTES = 512 * 2**20
# Bytes that the cached results of one function of sizes may take. (Machine A, 2026-11-26)
FUNCTION_CACHE_BYTES = 16 * 2**20
# A basis is evaluated in chunks of about this many bytes of float64, which stay in the processor's cache.
# (Machine A, 2026-11-26)
BASIS_CHUNK_BYTES = 4 * 2**20
# Sums over more basis functions than this are formed in float64: splines of many control points have large weights of
# both signs, which cancel (float32 loses 1e-5 of a grid at 12 × 12 points, 5e-4 at 32 × 32). (Machine A, 2026-11-22)
WIDE_FUNCTIONS = 100
# A symmetric basis is read on one corner of the lattice where reading it dominates: it exceeds the processor's cache
# and serves few images, at least this many functions for each of them. (Machine A, 2026-11-22)
MIRRORED_BYTES = 4 * 2**20
MIRRORED_FUNCTIONS = 8
# For fewer coordinates than this a Python autograd function costs more than the passes it saves.
# (Machine A, 2026-11-26)
SEPARABLE_GRADIENT_COORDINATES = 2**19
# Bytes of a grid that is sampled before the next images have theirs, where a family allows that and no gradient is
# wanted: it is read from the processor's cache, and a whole grid takes two thirds of the memory of three channels. A
# larger whole is worth the calls. (Machine A, 2026-11-29)
GRID_CHUNK_BYTES = 2**20
# N × P numbers in the dense system of a fit beyond which a sparse one is faster, where functions are 0 at most points:
# B-splines of 8 × 8 points from 400 correspondences take 11 ms for 134, bilinear fields 10 ms for 11.
# (Intel Xeon, 2 cores, torch 2.13.0, 2026-11-30)
DENSE_FIT = 2**15
