"""Kornia's warps, which take matrices between pixel indices or between normalized coordinates."""

import torch
from kornia.geometry import conversions, transform
from torch import Tensor

import stnkit
from peers import leaf, share
from warp import Inputs, Warp
from work import UnavailableError

# Of the thin plate spline: pairs of a pixel and a control point in one call, about a second with the gradient, and the
# most that a single image may have. A pair takes about 42 bytes with all temporaries that the gradient needs.
PAIRS = 12e6
MOST_PAIRS = 140e6


def affine(inputs: Inputs) -> Warp:
    """`warp_affine`, which takes the map from input to output pixels and inverts it in every call."""
    image, matrix = leaf(inputs.image), leaf(_to_output_pixels(inputs)[:, :2])
    size = _size(image)

    def output() -> Tensor:
        # align_corners stays at True, the default: the map is between pixel indices, so that this only says in which
        # units Kornia computes.
        return transform.warp_affine(image, matrix, size)

    return Warp(output, (image, matrix))


def perspective(inputs: Inputs) -> Warp:
    """`warp_perspective`, which takes the map from input to output pixels and inverts it in every call."""
    image, matrix = leaf(inputs.image), leaf(_to_output_pixels(inputs))
    size = _size(image)

    def output() -> Tensor:
        # align_corners stays at True as in `affine`.
        return transform.warp_perspective(image, matrix, size)

    return Warp(output, (image, matrix))


def homography(inputs: Inputs) -> Warp:
    """`homography_warp`, which takes the map from output to input in normalized coordinates, as stnkit does."""
    image, matrix = leaf(inputs.image), leaf(_matrix(inputs, inputs.theta))
    size = _size(image)

    def output() -> Tensor:
        return transform.homography_warp(image, matrix, size, align_corners=False)

    return Warp(output, (image, matrix))


def tps(inputs: Inputs) -> Warp:
    """`get_tps_transform` and `warp_image_tps`.

    The spline takes the same control points to the same θ_k, but is another one: its kernels are centered at θ_k
    instead of at the control points, so that its system differs for each image.

    Raises:
        UnavailableError: for a single image with more pairs of a pixel and a control point than fit into 6 GB.
    """
    batch, _, height, width = inputs.image.shape
    points = inputs.theta.view(batch, 2, -1).transpose(1, 2)
    pairs = height * width * points.shape[1]
    if pairs > MOST_PAIRS:
        # It keeps every pair several times over.
        raise UnavailableError("not tried: more than 6 GB")
    images = share(inputs.image, pairs, PAIRS)
    image, sources = leaf(inputs.image[:images]), leaf(points[:images])
    controls = inputs.family.identity().view(2, -1).T.to(sources).expand_as(sources).contiguous()

    def output() -> Tensor:
        kernel_weights, affine_weights = transform.get_tps_transform(controls, sources)
        return transform.warp_image_tps(image, sources, kernel_weights, affine_weights, align_corners=False)

    return Warp(output, (image, sources), images if images < batch else None)


def _size(image: Tensor) -> tuple[int, int]:
    return image.shape[2], image.shape[3]


def _matrix(inputs: Inputs, theta: Tensor) -> Tensor:
    assert isinstance(inputs.family, stnkit.families.MatrixFamily)
    return inputs.family.matrix(theta)


def _to_output_pixels(inputs: Inputs) -> Tensor:
    """The inverse of the map, between pixel indices: from the input to the output."""
    height, width = _size(inputs.image)
    matrix = _matrix(inputs, inputs.theta.double())
    normalized = conversions.normal_transform_pixel(
        height, width, dtype=matrix.dtype, device=matrix.device, align_corners=False
    )
    inverse = torch.linalg.inv(normalized) @ torch.linalg.inv(matrix) @ normalized
    return inverse / inverse[:, 2:, 2:]
