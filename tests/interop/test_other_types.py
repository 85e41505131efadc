"""Each argument of each public function replaced by objects of other types: one sentence, never a TypeError."""

import inspect
import itertools
import operator

import numpy as np
import pytest
import torch

import stnkit
from stnkit import interop
from stnkit.numpy_arrays import as_tensor
from tests.interop.pictures import IN, OUT, affine

FAMILY, THETA = affine()
PIXELS, MATRIX = interop.pixel_map(FAMILY, THETA, IN, OUT), interop.pixel_matrix(FAMILY, THETA, IN, OUT)
MAPS = PIXELS[..., 0].copy(), PIXELS[..., 1].copy()
FIELD = torch.zeros(1, 2, 9, 9, dtype=torch.float64)
POINTS = torch.zeros(1, 2)
BOX = interop.itk.Geometry((10, 4))
SHIFT = interop.itk.Transform("TranslationTransform", 2, np.array([3.0, 4.0]), np.array([]))

TO = (FAMILY, THETA, IN, OUT)
OF_MATRIX = (FAMILY, MATRIX, IN, OUT)
# Each function with arguments that it takes.
CALLS = {
    "pixel_matrix": TO,
    "pixel_map": TO,
    "theta_of_pixel_matrix": OF_MATRIX,
    "theta_of_pixel_map": (FAMILY, PIXELS, IN, 0.1),
    "boxes.theta_of_boxes": (FAMILY, torch.tensor([[0, 0, 5, 5]]), IN),
    "boxes.boxes_of_theta": (FAMILY, THETA, IN),
    "opencv.warp_affine": TO,
    "opencv.warp_perspective": TO,
    "opencv.remap": TO,
    "opencv.theta_of_matrix": OF_MATRIX,
    "opencv.theta_of_maps": (FAMILY, *MAPS, IN, 0.1),
    "pillow.affine": TO,
    "pillow.perspective": TO,
    "pillow.theta_of_coefficients": (FAMILY, [1, 0, 0, 0, 1, 0], IN, OUT),
    "scikit_image.affine_transform": TO,
    "scikit_image.projective_transform": TO,
    "scikit_image.coordinate_map": TO,
    "scikit_image.theta_of_transform": (FAMILY, MATRIX[0], IN, OUT, 0.1),
    "scipy.affine_transform": TO,
    "scipy.map_coordinates": TO,
    "scipy.theta_of_affine": (FAMILY, np.eye(2), np.zeros(2), IN, OUT),
    "scipy.theta_of_coordinates": (FAMILY, np.moveaxis(PIXELS[0, ..., ::-1], -1, 0), IN, 0.1),
    "kornia.warp_affine": TO,
    "kornia.warp_perspective": TO,
    "kornia.homography_warp": TO[:2],
    "kornia.remap": TO,
    "kornia.theta_of_matrix": OF_MATRIX,
    "kornia.theta_of_maps": (FAMILY, *map(torch.tensor, MAPS), IN, 0.1),
    "monai.affine_layer": TO[:2],
    "monai.affine": TO,
    "monai.warp_field": TO[:3],
    "monai.resampled_affine": (*TO, np.eye(3)),
    "monai.theta_of_affines": (FAMILY, np.eye(3), np.eye(3), IN, OUT),
    "monai.theta_of_affine": OF_MATRIX,
    "monai.theta_of_voxel_matrix": OF_MATRIX,
    "monai.theta_of_field": (FAMILY, FIELD, 0.1),
    "torchvision.perspective": TO[:3],
    "torchvision.elastic": TO[:3],
    "torchvision.theta_of_field": (FAMILY, FIELD.movedim(1, -1), 0.1),
    "torchvision.theta_of_affine": (FAMILY, 5.0, (1, 2), 1.0, (0, 0), IN),
    "align_corners.from_points": (POINTS, IN),
    "align_corners.to_points": (POINTS, IN),
    "align_corners.affine_grid": TO,
    "align_corners.grid": TO,
    "align_corners.theta_of_affine_grid": OF_MATRIX,
    "align_corners.theta_of_grid": (FAMILY, torch.zeros(1, 9, 9, 2), IN, 1e3),
    "itk.Geometry": ((10, 4), (1.0, 1.0), (0.0, 0.0), (1.0, 0, 0, 1)),
    "itk.elastix_parameters": (SHIFT, BOX),
    "itk.physical_matrix": (SHIFT,),
    "itk.source_points": (SHIFT, np.zeros((1, 2)), BOX, BOX),
    "itk.theta_of_transforms": (FAMILY, SHIFT, BOX, BOX),
    "itk.transforms_of_theta": (FAMILY, THETA, BOX, BOX),
}
# Tested beside what they read and write, or taking any callable.
ELSEWHERE = {"itk.Transform", "itk.read", "itk.write", "scikit_image.in_pixels"}
# Whose arguments are tensors of torch alone.
OF_TENSORS = {"align_corners.from_points", "align_corners.to_points"}
OTHERS = (None, 5, -1.5, object(), "ab", [1, "x"], [[1, 2], [3]], np.array(["a"]), torch.tensor(1j))


def test_every_public_function_is_called():
    modules = {f"{name}.": module for name, module in vars(interop).items() if name in interop.__all__}
    names = {name for name in interop.__all__ if callable(getattr(interop, name))}
    for prefix, module in modules.items():
        if inspect.ismodule(module):
            own = getattr(module, "__all__", [n for n, f in vars(module).items() if inspect.isfunction(f)])
            names |= {
                prefix + n
                for n in own
                if getattr(getattr(module, n), "__module__", "").startswith(f"stnkit.interop.{prefix[:-1]}")
            }
    assert {name for name in names if not name.rpartition(".")[2].startswith("_")} - ELSEWHERE == set(CALLS)


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("name", CALLS)
def test_an_argument_of_another_type_is_one_sentence(name):
    function, arguments = operator.attrgetter(name)(interop), CALLS[name]
    function(*arguments)
    told = []
    for position, other in itertools.product(range(len(arguments)), OTHERS):
        try:
            function(*arguments[:position], other, *arguments[position + 1 :])
        except stnkit.errors.StnkitError as error:
            told.append((position, other, "expected" in str(error), error))
        except Exception as error:
            told.append((position, other, False, error))
    assert [each for each in told if not each[2]] == []


# Each array or tensor with a gradient, of fewer and of more digits; and the share of the result that it may change.
DTYPES = {
    "gradient": (lambda given: as_tensor("", given).double().clone().requires_grad_(), 1e-12),
    "bfloat16": (lambda given: as_tensor("", given).bfloat16(), 0.02),
    "half": (lambda given: as_tensor("", given).half(), 0.02),
    "longdouble": (lambda given: as_tensor("", given).numpy().astype(np.longdouble), 1e-6),
}


def numbers_of(result):
    """All numbers of what a function gives, in float64."""
    if isinstance(result, np.ndarray | torch.Tensor):
        return [as_tensor("", result).detach().double().flatten()]
    return [each for one in result for each in numbers_of(one)] if isinstance(result, tuple | list) else []


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("change", DTYPES)
@pytest.mark.parametrize("name", [name for name in CALLS if name not in OF_TENSORS])
def test_an_array_of_another_dtype_is_the_same_map(name, change):
    function, arguments = operator.attrgetter(name)(interop), CALLS[name]
    changed, share = DTYPES[change]
    given = [changed(each) if isinstance(each, np.ndarray | torch.Tensor) else each for each in arguments]
    for found, expected in zip(numbers_of(function(*given)), numbers_of(function(*arguments)), strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=share * float(expected.abs().max()))


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("result", "told"),
    [
        (lambda points: None, "points, got one to NoneType"),
        (lambda points: "ab", "points, got one to str"),
        (lambda points: [[1, 2], [3]], "points, got one to list"),
        (lambda points: points * 1j, "points, got one to ndarray"),
        (lambda points: points[:3], r"points of shape \(899, 2\), got \(3, 2\)"),
        (lambda points: points[:, :1], r"points of shape \(899, 2\), got \(899, 1\)"),
        (lambda points: points.T, r"points of shape \(899, 2\), got \(2, 899\)"),
    ],
)
def test_a_callable_that_gives_no_points_is_refused(result, told):
    with pytest.raises(stnkit.errors.InputError, match=f"^transform: expected a map to {told}$"):
        interop.scikit_image.theta_of_transform(FAMILY, result, IN, OUT)
    with pytest.raises(stnkit.errors.InputError, match=r"^transform: expected a map to points"):
        interop.scikit_image.in_pixels(result, IN, OUT)(np.zeros((899, 2)))


@pytest.mark.parametrize("kind", [torch.as_tensor, np.ndarray.tolist, lambda points: points.astype(np.float32)])
def test_a_callable_may_give_points_of_any_kind(kind):
    found = interop.scikit_image.theta_of_transform(FAMILY, lambda points: kind(2 * points + 1), IN, OUT)
    expected = interop.theta_of_pixel_matrix(FAMILY, np.array([[2, 0, 1], [0, 2, 1]]), IN, OUT)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("other", [None, 5, object(), b"a.tfm"])
def test_a_path_of_another_type_is_refused(other):
    for call in (lambda: interop.itk.read(other), lambda: interop.itk.write(other, SHIFT)):
        with pytest.raises(stnkit.errors.InputError, match=r"^path: expected a path, got "):
            call()
