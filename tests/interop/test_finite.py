"""Numbers of other tools that are not finite: the message names the argument, and not a family's method."""

import numpy as np
import pytest
import torch

import stnkit
from stnkit.interop import align_corners, kornia, monai, opencv, pillow, scikit_image, scipy
from stnkit.interop.finite import check_finite

SIZE = (4, 8)
LOST = [float("nan"), float("inf"), -float("inf")]
CALLS = {
    "pixels": ("matrix", lambda f, m: stnkit.interop.theta_of_pixel_matrix(f, m, SIZE, SIZE)),
    "align_corners": ("matrix", lambda f, m: align_corners.theta_of_affine_grid(f, m, SIZE, SIZE)),
    "kornia": ("matrix", lambda f, m: kornia.theta_of_matrix(f, m, SIZE, SIZE)),
    "monai affine": ("matrix", lambda f, m: monai.theta_of_affine(f, m, SIZE, SIZE)),
    "monai affines": ("matrix", lambda f, m: monai.theta_of_affines(f, m, np.eye(3), SIZE, SIZE)),
    "monai voxels": ("matrix", lambda f, m: monai.theta_of_voxel_matrix(f, m, SIZE, SIZE)),
    "opencv": ("matrix", lambda f, m: opencv.theta_of_matrix(f, m, SIZE, SIZE)),
    "pillow": ("data", lambda f, m: pillow.theta_of_coefficients(f, m.ravel()[:6], SIZE, SIZE)),
    "scikit_image": ("matrix", lambda f, m: scikit_image.theta_of_transform(f, m, SIZE, SIZE)),
    "scipy": ("offset", lambda f, m: scipy.theta_of_affine(f, m[:2, :2], m[:2, 2], SIZE, SIZE)),
}


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize("transform", ["affine", "tps"])
@pytest.mark.parametrize("tool", CALLS)
def test_a_number_that_is_not_finite_is_named(tool, transform, lost):
    argument, call = CALLS[tool]
    matrix = np.eye(3)
    matrix[1, 2] = lost
    with pytest.raises(
        stnkit.errors.InputError, match=rf"^{argument}: expected finite numbers, got \[.* (in row|at index) 0"
    ):
        call(stnkit.build("transform", transform), matrix)


def test_the_index_is_that_of_the_first_such_matrix():
    matrices = torch.eye(3).repeat(4, 1, 1)
    matrices[2:, 0, 1] = torch.inf
    with pytest.raises(stnkit.errors.InputError, match=r"^matrix: .* got \[\[1.0, inf, .* at index 2 of the batch$"):
        check_finite("matrix", matrices)
    check_finite("matrix", matrices[:2])


@pytest.mark.no_jaxtyping
def test_nothing_is_read_under_vmap():
    family = stnkit.build("transform", "affine")
    matrices = torch.eye(3, dtype=torch.float64).repeat(2, 1, 1)
    matrices[1, 0, 2] = torch.nan
    found = torch.vmap(lambda m: stnkit.interop.theta_of_pixel_matrix(family, m, SIZE, SIZE)[0])(matrices)
    torch.testing.assert_close(found[0], family.identity())
    assert found[1].isnan().all()
