"""Images with a geometry, maps that leave them in part, and ITK's pictures of both, by SimpleITK 2.5.7."""

import numpy as np
import SimpleITK as sitk
import torch

import stnkit
from stnkit import coordinates
from stnkit.interop import itk

# Spacings, origins and directions all differ, and each direction is another kind: turned and mirrored, or permuted.
MOVING = {
    2: itk.Geometry((37, 23), (0.7, 1.3), (12.0, -5.0), (0.6, 0.8, 0.8, -0.6)),
    3: itk.Geometry(
        (23, 17, 11), (0.7, 1.3, 2.5), (12.0, -5.0, 40.0), (0.36, 0.48, -0.8, -0.8, 0.6, 0, -0.48, -0.64, -0.6)
    ),
}
FIXED = {
    2: itk.Geometry((29, 31), (1.1, 0.9), (-30.0, 7.0), (0, 1, -1, 0)),
    3: itk.Geometry((19, 12, 13), (1.1, 0.9, 1.7), (-30.0, 7.0, 2.0), (0, 0, 1, 1, 0, 0, 0, -1, 0)),
}
OPTIONS = {
    "affine": {},
    "similarity": {},
    "bspline": {2: [6, 8], 3: [5, 4, 6]},
    "displacement": {2: [5, 9], 3: [3, 4, 6]},
    "tps": {2: [3, 4], 3: [2, 3, 4]},
    "projective": {},
}
# The linear part turns, shears and enlarges, so that about a third of the output is outside.
AFFINE = {
    2: [[0.9, 0.4, 0.15], [-0.5, 0.8, -0.1]],
    3: [[0.9, 0.4, 0.1, 0.15], [-0.5, 0.8, 0.2, -0.1], [0.1, -0.2, 1.1, 0.05]],
}


def family_of(name, ndim):
    """The family in `ndim` dimensions, with other numbers of points along each axis."""
    options = OPTIONS[name]
    counts = {"resolution" if name == "displacement" else "control_points": options[ndim]} if options else {}
    return stnkit.build("transform", name, **({} if name == "projective" else {"ndim": ndim}), **counts)


def theta_of(name, ndim):
    """θ of shape (1, P) in float64: by name the matrix above, or noise around the identity."""
    family = family_of(name, ndim)
    if name == "affine":
        return torch.tensor(AFFINE[ndim], dtype=torch.float64).view(1, -1)
    draw = torch.Generator().manual_seed(0)
    noise = torch.randn(1, family.n_params, generator=draw, dtype=torch.float64)
    return family.identity() + (0.15 if name in ("projective", "similarity") else 0.3) * noise


def random_image(geometry):
    """Noise in [0, 1] of the shape of the array."""
    return np.random.default_rng(1).uniform(0, 1, geometry.shape)


def sitk_image(array, geometry):
    """The array with a geometry."""
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(geometry.spacing)
    image.SetOrigin(geometry.origin)
    image.SetDirection(geometry.direction)
    return image


def sitk_transform(chain):
    """The transforms as objects of SimpleITK."""
    made = [_sitk_transform(each) for each in chain]
    return made[0] if len(made) == 1 else sitk.CompositeTransform(made)


def _sitk_transform(each):
    if each.name == "DisplacementFieldTransform":
        size, origin, spacing, direction = np.split(each.fixed_parameters, np.arange(1, 4) * each.ndim)
        shape = size[::-1].astype(int)
        field = itk.Geometry(tuple(size.astype(int).tolist()), *map(tuple, (spacing, origin, direction)))
        vectors = sitk.GetImageFromArray(each.parameters.reshape(*shape, each.ndim), isVector=True)
        vectors.CopyInformation(sitk_image(np.zeros(shape), field))
        return sitk.DisplacementFieldTransform(vectors)
    made = sitk.AffineTransform(each.ndim) if each.name == "AffineTransform" else sitk.BSplineTransform(each.ndim, 3)
    made.SetFixedParameters(each.fixed_parameters.tolist())
    made.SetParameters(each.parameters.tolist())
    return made


def resampled(array, transform, moving, fixed):
    """ITK's picture: linear, and 0 outside."""
    reference = sitk_image(np.zeros(fixed.shape), fixed)
    image = sitk.Resample(sitk_image(array, moving), reference, transform, sitk.sitkLinear, 0.0)
    return sitk.GetArrayFromImage(image)


def expected(array, family, theta, size):
    """stnkit's picture under ITK's border rule, and the masks of pixels read inside and in the band around it.

    Inside is between the outermost pixel centers. Half a pixel farther the edge goes on, then there is 0.
    """
    image = torch.from_numpy(array)[None, None]
    edge = stnkit.warp(family, theta, image, stnkit.build("sampler", "bilinear", padding="border"), size)[0, 0].numpy()
    pixels = coordinates.to_pixels(family.grid(theta, size), array.shape)[0].numpy()
    last = np.array(array.shape[::-1]) - 1
    inside = ((pixels >= 0) & (pixels <= last)).all(axis=-1)
    band = ((pixels >= -0.5) & (pixels < last + 0.5)).all(axis=-1) & ~inside
    return np.where(inside | band, edge, 0.0), inside, band


def mapped_points(transform, points):
    """SimpleITK's image of physical points."""
    return np.array([transform.TransformPoint(point) for point in points.tolist()])
