"""Anything else in place of a family is one sentence."""

import pytest
import torch

import stnkit
from stnkit.localizers import LatticeHead, RegressionHead

pytestmark = pytest.mark.no_jaxtyping

THETA, SIZE = torch.zeros(1, 6), (3, 4)
TAKERS = {
    "folds": lambda family: stnkit.folds(family, THETA, SIZE),
    "jacobian_determinant": lambda family: stnkit.jacobian_determinant(family, THETA, SIZE),
    "bending_energy": lambda family: stnkit.bending_energy(family, THETA, SIZE),
    "jacobian": lambda family: stnkit.families.jacobian(family, THETA, SIZE),
    "matrix_form": lambda family: stnkit.families.matrix_form(family, THETA),
    "onward": lambda family: stnkit.families.onward(family, THETA, torch.zeros(1, 3, 2)),
    "pixel_matrix": lambda family: stnkit.interop.pixel_matrix(family, THETA, SIZE, SIZE),
    "RegressionHead": lambda family: RegressionHead(5, family),
    "LatticeHead": lambda family: LatticeHead(5, family),
    "WarpDistortion": lambda family: type("Still", (stnkit.distortions.WarpDistortion,), {"sample": None})(
        family, stnkit.build("sampler", "bilinear"), SIZE
    ),
}


@pytest.mark.parametrize("name", TAKERS)
@pytest.mark.parametrize(
    ("given", "kind"), [("affine", "str"), (None, "NoneType"), (torch.nn.Linear(2, 2), "Linear")], ids=str
)
def test_what_is_no_family_is_refused(name, given, kind):
    with pytest.raises(stnkit.errors.InputError, match=f"^family: expected a transform family, got {kind}$"):
        TAKERS[name](given)
