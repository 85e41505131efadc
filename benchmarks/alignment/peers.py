"""Registration to a running mean: the angle of an image by scikit-image and by pystackreg."""

from collections.abc import Callable

import numpy as np
from pystackreg import StackReg
from skimage.registration import phase_cross_correlation
from skimage.transform import EuclideanTransform, warp, warp_polar

# (image, template) ↦ radians by which sampling points turn clockwise, so that the image lies as the template.
Register = Callable[[np.ndarray, np.ndarray], float]
PASSES = 3


def polar(image: np.ndarray) -> np.ndarray:
    """An image about its center, a row for each degree clockwise."""
    center = (image.shape[0] - 1) / 2, (image.shape[1] - 1) / 2
    return warp_polar(image, center=center, radius=min(image.shape) / 2)


def by_correlation(normalization: str | None) -> Register:
    """The shift of the polar images that correlates best, over all angles.

    Args:
        normalization: "phase" for phase correlation, None for cross-correlation.
    """

    def register(image: np.ndarray, template: np.ndarray) -> float:
        shift, _, _ = phase_cross_correlation(polar(template), polar(image), normalization=normalization)
        return -np.deg2rad((shift[0] + 180) % 360 - 180)

    return register


def by_stackreg(starts: int) -> Register:
    """The rigid motion of least squares, found by pystackreg from several rotations of the image; the best one.

    Args:
        starts: number of rotations, evenly spaced between ±90°.
    """
    angles = np.linspace(-90, 90, starts + 1)[:-1] + 90 / starts
    stack = StackReg(StackReg.RIGID_BODY)

    def register(image: np.ndarray, template: np.ndarray) -> float:
        found = []
        for start in np.deg2rad(angles):
            turned = rotated(image, start)
            matrix = stack.register(template, turned)
            error = np.square(stack.transform(turned) - template).mean()
            found.append((error, start + np.arctan2(matrix[1, 0], matrix[0, 0])))
        return min(found)[1]

    return register


def rotated(image: np.ndarray, radians: float) -> np.ndarray:
    """The image read at points that are turned clockwise about its center."""
    center = (np.array(image.shape[::-1]) - 1) / 2
    to_center, back = EuclideanTransform(translation=-center), EuclideanTransform(translation=center)
    return warp(image, to_center + EuclideanTransform(rotation=radians) + back, order=1)


def template_of(images: np.ndarray, register: Register) -> np.ndarray:
    """The running mean of images, each registered to the mean of those before it; later passes go on with it.

    Args:
        images: (N, H, W) of one group.
        register: finds the angle.
    """
    template = images[0]
    for number in range(PASSES):
        total, count = (np.zeros_like(template), 0) if number else (template.copy(), 1)
        reference = template
        for image in images[count:]:
            total += rotated(image, register(image, reference))
            count += 1
            if not number:
                reference = total / count
        template = total / count
    return template
