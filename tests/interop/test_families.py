import ast
import operator
import sys

import numpy as np
import pytest
import torch

import stnkit
from stnkit import interop
from stnkit.plugin_system.registry import plugin_registry
from tests.helpers import ROOT
from tests.interop.pictures import IN, OUT, affine, tps

TRANSFORMS = sorted(e.name for e in plugin_registry().registered if e.kind == "transform")
# Each conversion of a matrix with its last arguments, and the one for other maps.
INSTEAD = {
    "pixel_matrix": ((IN, OUT), "pixel_map"),
    "opencv.warp_affine": ((IN, OUT), "opencv.remap"),
    "opencv.warp_perspective": ((IN, OUT), "opencv.remap"),
    "kornia.warp_affine": ((IN, OUT), "kornia.remap"),
    "kornia.warp_perspective": ((IN, OUT), "kornia.remap"),
    "kornia.homography_warp": ((), "kornia.remap"),
    "monai.affine_layer": ((), "monai.warp_field"),
    "monai.affine": ((IN, OUT), "monai.warp_field"),
    "monai.resampled_affine": ((IN, OUT, np.eye(3)), "monai.warp_field"),
    "scipy.affine_transform": ((IN, OUT), "scipy.map_coordinates"),
    "scikit_image.affine_transform": ((IN, OUT), "scikit_image.coordinate_map"),
    "scikit_image.projective_transform": ((IN, OUT), "scikit_image.coordinate_map"),
    "pillow.affine": ((IN, OUT), "pixel_map"),
    "pillow.perspective": ((IN, OUT), "pixel_map"),
    "torchvision.perspective": ((IN,), "torchvision.elastic"),
    "align_corners.affine_grid": ((IN, OUT), "align_corners.grid"),
}


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("name", INSTEAD)
def test_a_family_without_matrices_is_told_the_map_of_the_tool(name):
    arguments, instead = INSTEAD[name]
    conversion = operator.attrgetter(name)(interop)
    assert len(conversion(*affine(), *arguments)) > 0
    assert callable(operator.attrgetter(instead)(interop))
    message = rf"^family: expected one of matrices, got ThinPlateSpline: use {instead}$"
    with pytest.raises(stnkit.errors.InputError, match=message):
        conversion(*tps(), *arguments)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_the_map_of_every_family_is_converted(name):
    family = stnkit.build("transform", name)
    theta = family.identity()[None]
    pixels = interop.pixel_map(family, theta, IN, OUT)
    # By the author's formula: in pixels of the input from its outer edge, and centers are at ½.
    lattice = stnkit.coordinates.lattice(OUT, dtype=torch.float64).view(1, -1, 2)
    expected = (family(theta, lattice).numpy() + 1) / 2 * np.array(IN[::-1]) - 0.5
    np.testing.assert_allclose(pixels, expected.reshape(1, *OUT, 2), rtol=0, atol=1e-9)
    maps = interop.opencv.remap(family, theta, IN, OUT)
    np.testing.assert_array_equal(np.stack(maps, axis=-1), pixels.astype(np.float32))


MATRICES = [name for name in TRANSFORMS if isinstance(stnkit.build("transform", name), stnkit.families.MatrixFamily)]


@pytest.mark.parametrize("name", MATRICES)
def test_the_matrix_of_every_family_of_them_gives_theta_back(name):
    family = stnkit.build("transform", name)
    theta = family.identity()[None] + 0.05
    matrix = interop.pixel_matrix(family, theta, IN, IN)
    torch.testing.assert_close(interop.theta_of_pixel_matrix(family, matrix, IN, IN), theta, rtol=0, atol=1e-8)


def test_no_module_imports_its_tool():
    allowed = {*sys.stdlib_module_names, "jaxtyping", "numpy", "stnkit", "torch"}
    for path in (ROOT / "stnkit" / "interop").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
                assert {name.split(".")[0] for name in names} <= allowed, path
