"""What holds for every family of matrices, against a matrix that numpy makes of θ by the definition."""

import math

import numpy as np
import pytest
import scipy.ndimage
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

import stnkit

from .matrix_cases import CASES, SIZES, affine_of, drawn, every, lattice_of, project, random_points


@every
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
def test_grid_is_the_homogeneous_product(case, dtype, tolerance):
    family, theta = case.build(), case.theta(dtype=dtype)
    for size in SIZES[family.ndim]:
        grid = family.grid(theta, size)
        assert grid.dtype == dtype
        for row, source in zip(theta.double().numpy(), grid.numpy(), strict=True):
            # Far outside of the image the error grows with the coordinate.
            expected = project(case.matrix(row), lattice_of(size))
            assert (np.abs(source - expected) / np.maximum(1, np.abs(expected))).max() < tolerance


@pytest.mark.parametrize("case", [case for case in CASES if case.build().affine], ids=str)
def test_grid_equals_that_of_torch(case):
    family, theta = case.build(), case.theta()
    matrix = torch.from_numpy(np.stack([case.matrix(row)[:-1] for row in theta.numpy()]))
    for size in SIZES[family.ndim]:
        expected = F.affine_grid(matrix, [len(theta), 1, *size], align_corners=False)
        assert (family.grid(theta, size) - expected).abs().max() < 1e-10


@every
def test_warp_equals_that_of_scipy(case):
    family, theta = case.build(), case.theta(batch=2)
    in_size, size = ((7, 9), (6, 11)) if family.ndim == 2 else ((4, 6, 5), (5, 4, 6))
    image = torch.randn(2, 1, *in_size, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    warped = stnkit.build("sampler", "bilinear")(image, family.grid(theta, size))
    for row, original, result in zip(theta.numpy(), image[:, 0].numpy(), warped[:, 0].numpy(), strict=True):
        matrix = case.matrix(row)
        indices = ((project(matrix, lattice_of(size)) + 1) * in_size[::-1] - 1) / 2
        if family.affine:
            # The same matrix between indices, with the axes in the order of the array.
            to_pixels = affine_of(np.diag(in_size[::-1]) / 2, (np.array(in_size[::-1]) - 1) / 2)
            from_pixels = np.linalg.inv(affine_of(np.diag(size[::-1]) / 2, (np.array(size[::-1]) - 1) / 2))
            between = to_pixels @ matrix @ from_pixels
            expected = scipy.ndimage.affine_transform(
                original,
                between[:-1, :-1][::-1, ::-1],
                between[:-1, -1][::-1],
                size,
                order=1,
                mode="grid-constant",
            )
        else:
            expected = scipy.ndimage.map_coordinates(
                original,
                np.moveaxis(indices[..., ::-1], -1, 0),
                order=1,
                mode="grid-constant",
                prefilter=False,
            )
        assert np.abs(result - expected).max() < 1e-10


@every
@pytest.mark.parametrize("value", [1e30, -1e30, 3e38])
def test_any_theta_keeps_the_grid_bounded_and_gradients_finite(case, value):
    family = case.build()
    # The value at each place alone, and at all.
    theta = case.theta(batch=1, dtype=torch.float32).repeat(family.n_params + 1, 1)
    theta[:-1].fill_diagonal_(value)
    theta[-1] = value
    theta.requires_grad_()
    grid = family.grid(theta, SIZES[family.ndim][0])
    assert grid.abs().max() <= stnkit.coordinates.OUTSIDE
    for source in (grid, family(theta, random_points(family, dtype=torch.float32))):
        assert torch.autograd.grad(source.sum(), theta)[0].isfinite().all()


@every
def test_a_theta_of_nan_shows_nothing_of_the_image(case):
    family = case.build()
    size = SIZES[family.ndim][0]
    grid = family.grid(torch.full((1, family.n_params), math.nan), size)
    assert not stnkit.build("sampler", "bilinear").valid(grid).any()


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("name", ["affine", "projective"])
def test_a_theta_of_the_wrong_width_is_refused(name):
    family = stnkit.build("transform", name)
    wrong, right = torch.zeros(2, family.n_params + 1), torch.zeros(2, family.n_params)
    points = random_points(family)
    calls = [
        lambda: family(wrong, points),
        lambda: family.inverse(wrong, points),
        lambda: family.grid(wrong, SIZES[family.ndim][0]),
        lambda: family.compose(wrong, right),
        lambda: family.compose(right, wrong),
    ]
    for call in calls:
        with pytest.raises(stnkit.errors.InputError, match=rf"expected theta of shape \(B, {family.n_params}\)"):
            call()


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("case", [case for case in CASES if not case.options], ids=str)
@pytest.mark.slow
def test_the_grid_compiles_exports_and_maps_over_theta(case):
    torch.compiler.reset()
    family, theta = case.build(), case.theta(batch=3, dtype=torch.float32)
    size = SIZES[family.ndim][0]
    expected = family.grid(theta, size)

    class Grid(torch.nn.Module):
        def forward(self, theta):
            return family.grid(theta, size)

    batch = torch.export.Dim("batch")
    exported = torch.export.export(Grid(), (theta,), dynamic_shapes=({0: batch},))
    assert torch.allclose(exported.module()(theta[:2]), expected[:2], atol=1e-6)
    compiled = torch.compile(Grid(), backend="aot_eager", fullgraph=True)
    assert torch.allclose(compiled(theta), expected, atol=1e-6)
    mapped = torch.func.vmap(lambda row: family.grid(row[None], size)[0])(theta)
    assert torch.allclose(mapped, expected, atol=1e-6)


SIDES = r"aspect: expected the sides \[width, height, depth\], at most 1000 times another, got"


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("translation", {"ndim": 1}, "ndim: expected 2 or 3, got "),
        ("scale", {"ndim": 4}, "ndim: expected 2 or 3, got "),
        ("rotation", {"aspect": 0.0}, "aspect: expected a number between 0.001 and 1000, got "),
        ("euclidean", {"aspect": 2000.0}, "aspect: expected a number between 0.001 and 1000, got "),
        ("euclidean", {"ndim": 3, "aspect": [0.0, 1.0, 1.0]}, rf"{SIDES} \[0.0, 1.0, 1.0\]"),
        ("similarity", {"aspect": math.nan}, "aspect: expected a number between 0.001 and 1000, got "),
        ("similarity", {"aspect": math.inf}, "aspect: expected a number between 0.001 and 1000, got "),
        ("rotation", {"aspect": [1.0, 2.0]}, "aspect: expected a number between 0.001 and 1000, got "),
        ("attention", {"ndim": 1}, "ndim: expected 2 or 3, got "),
        ("shear", {"ndim": 1}, "ndim: expected 2 or 3, got "),
        ("rotation", {"ndim": 4}, "ndim: expected 2 or 3, got "),
        ("rotation", {"ndim": 3, "aspect": 1.5}, f"{SIDES} 1.5"),
        ("similarity", {"ndim": 3, "aspect": [1.0, 2.0]}, rf"{SIDES} \[1.0, 2.0\]"),
        ("similarity", {"ndim": 3, "aspect": [1.0, 2.0, 0.0]}, rf"{SIDES} \[1.0, 2.0, 0.0\]"),
        ("similarity", {"ndim": 3, "aspect": [1.0, math.nan, 1.0]}, rf"{SIDES} \[1.0, nan, 1.0\]"),
        ("similarity", {"ndim": 3, "aspect": [1.0, math.inf, 1.0]}, rf"{SIDES} \[1.0, inf, 1.0\]"),
        ("similarity", {"ndim": 3, "aspect": [math.inf] * 3}, rf"{SIDES} \[inf, inf, inf\]"),
        ("similarity", {"ndim": 3, "aspect": [1.0, 1.0, 1001.0]}, rf"{SIDES} \[1.0, 1.0, 1001.0\]"),
    ],
)
def test_an_option_out_of_its_range_is_refused(name, options, message):
    with pytest.raises(stnkit.errors.InputError, match=message):
        stnkit.build("transform", name, **options)


@every
@given(data=st.data())
@settings(max_examples=10, deadline=None)
def test_an_element_of_a_batch_does_not_see_the_others(case, data):
    family, theta = drawn(case, data)
    size, points = SIZES[family.ndim][0], random_points(family, batch=2, n=5)
    together = family.grid(theta, size), family(theta, points), family.inverse(theta, points)
    for i in range(2):
        row, own = theta[i : i + 1], points[i : i + 1]
        alone = family.grid(row, size), family(row, own), family.inverse(row, own)
        for whole, part in zip(together, alone, strict=True):
            assert torch.allclose(whole[i : i + 1], part, rtol=1e-12, atol=1e-12, equal_nan=True)


@pytest.mark.parametrize("name", ["rotation", "euclidean", "similarity"])
def test_a_quarter_turn_is_seen_counter_clockwise(name):
    family = stnkit.build("transform", name)
    theta = family.identity()[None].clone()
    theta[0, 0] = math.pi / 2
    image = torch.randn(1, 1, 5, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    turned = stnkit.build("sampler", "bilinear")(image, family.grid(theta, (5, 5)))
    assert (turned - torch.rot90(image, 1, (2, 3))).abs().max() < 1e-12


@pytest.mark.parametrize("name", ["rotation", "euclidean", "similarity"])
def test_with_the_aspect_of_the_image_angles_are_kept_in_pixels(name):
    size = (6, 15)
    points = stnkit.coordinates.lattice(size, dtype=torch.float64).view(1, -1, 2)
    for aspect, rigid in ((15 / 6, True), (1.0, False)):
        family = stnkit.build("transform", name, aspect=aspect)
        theta = family.identity()[None].clone()
        theta[0, 0] = 0.7
        before = stnkit.coordinates.to_pixels(points, size)
        after = stnkit.coordinates.to_pixels(family(theta, points), size)
        change = torch.pdist(after[0]) - torch.pdist(before[0])
        assert (change.abs().max() < 1e-12) == rigid


@pytest.mark.parametrize("name", ["rotation", "euclidean", "similarity"])
def test_with_the_sides_of_a_volume_turns_are_rigid_in_voxels(name):
    size, spacing = (4, 6, 10), torch.tensor([1.0, 1.0, 2.5], dtype=torch.float64)
    points = stnkit.coordinates.lattice(size, dtype=torch.float64).view(1, -1, 3)
    in_millimeters = [10.0, 6.0, 4.0 * 2.5]
    for aspect, unit, rigid in (([10, 6, 4], 1, True), (in_millimeters, spacing, True), ([1, 1, 1], 1, False)):
        family = stnkit.build("transform", name, ndim=3, aspect=aspect)
        theta = family.identity()[None].clone()
        theta[0, :3] = torch.tensor([0.7, -0.2, 0.4])
        before = unit * stnkit.coordinates.to_pixels(points, size)
        after = unit * stnkit.coordinates.to_pixels(family(theta, points), size)
        change = torch.pdist(after[0]) - torch.pdist(before[0])
        assert (change.abs().max() < 1e-12) == rigid


def test_a_translation_by_one_pixel_moves_the_image_back_by_one():
    image = torch.randn(1, 1, 4, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    family = stnkit.build("transform", "translation")
    theta = torch.tensor([[2 / 6, 0.0]], dtype=torch.float64)
    moved = stnkit.build("sampler", "bilinear")(image, family.grid(theta, (4, 6)))
    assert (moved[..., :-1] - image[..., 1:]).abs().max() < 1e-12


def test_attention_shows_the_part_of_half_size_exp_s_around_t():
    family = stnkit.build("transform", "attention")
    theta = torch.tensor([[math.log(0.25), 0.5, -0.5]], dtype=torch.float64)
    corners = torch.tensor([[[-1.0, -1.0], [1.0, 1.0]]], dtype=torch.float64)
    expected = torch.tensor([[[0.25, -0.75], [0.75, -0.25]]], dtype=torch.float64)
    assert (family(theta, corners) - expected).abs().max() < 1e-15


class _Halving:
    """M with the source halved, over whatever family comes next."""

    def matrix(self, theta):
        return super().matrix(theta) * torch.tensor([[0.5], [0.5], [1.0]], dtype=theta.dtype)


def _halved_matrix(self, theta):
    return torch.diag(torch.tensor([0.5, 0.5, 1.0], dtype=theta.dtype))[None].expand(len(theta), -1, -1)


def test_api_1_a_subclass_that_overrides_matrix_gets_its_grid():
    affine = type(stnkit.build("transform", "affine"))
    with pytest.warns(stnkit.errors.RenamedWarning, match="Mixed overrides matrix, .*: rename it to rows"):
        mixed = type("Mixed", (_Halving, affine), {})
    with pytest.warns(stnkit.errors.RenamedWarning, match="Overriding overrides matrix, .*: rename it to rows"):
        overriding = type("Overriding", (affine,), {"matrix": _halved_matrix})
    points = torch.rand(1, 5, 2, dtype=torch.float64)
    lattice = stnkit.coordinates.lattice((3, 4), dtype=torch.float64)[None]
    plain = type("Plain", (affine,), {})
    for kind, factor in [(mixed, 0.5), (type("Sub", (mixed,), {}), 0.5), (overriding, 0.5), (plain, 1.0)]:
        family = kind()
        theta = family.identity()[None]
        assert torch.equal(family(theta, points), factor * points)
        assert torch.equal(family.grid(theta, (3, 4)), factor * lattice)
