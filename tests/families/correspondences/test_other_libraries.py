"""Least squares of nine noisy points, as scikit-image and OpenCV have them."""

import pytest
import torch

import stnkit

TARGET = torch.tensor(
    [[-0.9, -0.8], [0.1, -0.7], [0.8, -0.9], [-0.6, 0.1], [0.3, 0.2], [0.9, 0.0], [-0.8, 0.9], [0.0, 0.7], [0.7, 0.8]],
    dtype=torch.float64,
)[None]
SOURCE = torch.tensor(
    [
        [-0.51, -1.02],
        [0.44, -0.58],
        [1.17, -0.49],
        [-0.55, -0.06],
        [0.36, 0.33],
        [0.99, 0.36],
        [-1.05, 0.66],
        [-0.2, 0.72],
        [0.47, 1.01],
    ],
    dtype=torch.float64,
)[None]
# By scikit-image 0.26.0: skimage.transform.estimate_transform(NAME, TARGET, SOURCE).params[:2]
SKIMAGE = {
    "euclidean": [
        [0.9390123751168229, -0.34388335141071097, 0.08373986865164465],
        [0.34388335141071064, 0.9390123751168229, 0.052928290195510846],
    ],
    "similarity": [
        [0.965198048220436, -0.3534730195177958, 0.08260476463834675],
        [0.3534730195177955, 0.965198048220436, 0.05152267508610792],
    ],
}
# By OpenCV 5.0.0: cv2.estimateAffine2D(TARGET, SOURCE, method=cv2.RANSAC, ransacReprojThreshold=10.0, refineIters=100),
# which has all nine points as inliers, and cv2.findHomography(TARGET, SOURCE, 0).
OPENCV = {
    "affine": [
        [0.9900743310382429, -0.3668660500801838, 0.08166918926685271],
        [0.33644305032132543, 0.9390278943950243, 0.05334113492262007],
    ],
    "projective": [
        [0.9923034419944133, -0.36969301081609285, 0.09666253235982974],
        [0.3370867106862719, 0.9372324012230934, 0.053202568265542],
        [0.03032058140111166, -0.009635511634718067, 1.0],
    ],
}


def error_of(matrix):
    image = torch.cat([TARGET[0], torch.ones(9, 1, dtype=torch.float64)], dim=1) @ matrix.T
    return float((image[:, :2] / (image[:, 2:] if len(matrix) == 3 else 1) - SOURCE[0]).square().sum())


@pytest.mark.parametrize("name", SKIMAGE)
def test_rigid_fits_are_those_of_scikit_image(name):
    family = stnkit.build("transform", name)
    expected = torch.tensor(SKIMAGE[name], dtype=torch.float64)
    torch.testing.assert_close(family.matrix(family.fit(TARGET, SOURCE))[0, :2], expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize(("name", "tolerance"), [("affine", 1e-7), ("projective", 2e-6)])
def test_other_fits_are_those_of_opencv_to_its_tolerance(name, tolerance):
    family, theirs = stnkit.build("transform", name), torch.tensor(OPENCV[name], dtype=torch.float64)
    ours = family.matrix(family.fit(TARGET, SOURCE))[0, : len(theirs)]
    torch.testing.assert_close(ours, theirs, rtol=0, atol=tolerance)
    assert error_of(ours) < error_of(theirs)


def test_both_homographies_fit_the_same_matrix():
    first, second = (stnkit.build("transform", name) for name in ("projective", "homography4"))
    one, other = (family.matrix(family.fit(TARGET, SOURCE)) for family in (first, second))
    torch.testing.assert_close(one / one[:, 2:, 2:], other / other[:, 2:, 2:], rtol=0, atol=1e-11)
