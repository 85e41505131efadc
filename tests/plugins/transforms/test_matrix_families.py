"""What holds for every family of matrices, against a matrix that numpy makes of θ by the definition."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import pytest
import scipy.ndimage
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

import stnkit


@dataclasses.dataclass
class Case:
    name: str
    matrix: Callable[[np.ndarray], np.ndarray]  # (P,) -> (ndim + 1, ndim + 1)
    options: dict = dataclasses.field(default_factory=dict)
    spread: float = 0.5

    def __str__(self):
        return "-".join([self.name, *(f"{key}={value}" for key, value in self.options.items())])

    def build(self):
        return stnkit.build("transform", self.name, **self.options)

    def theta(self, batch=4, seed=0, dtype=torch.float64):
        family = self.build()
        generator = torch.Generator().manual_seed(seed)
        noise = torch.rand(batch, family.n_params, generator=generator, dtype=torch.float64)
        return (family.identity() + self.spread * (2 * noise - 1)).to(dtype)


def affine_of(linear, shift):
    ndim = len(shift)
    return np.block([[np.asarray(linear), np.reshape(shift, (ndim, 1))], [np.zeros((1, ndim)), 1.0]])


def turn(angle, aspect):
    to_isotropic = np.diag([aspect, 1.0])
    rotation = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return np.linalg.inv(to_isotropic) @ rotation @ to_isotropic


def quadrilateral(theta):
    """The matrix from the eight linear equations of the four corners, scaled to be 1 in the center."""
    corners = np.array([(-1, -1), (1, -1), (-1, 1), (1, 1)], dtype=float)
    equations, values = [], []
    for (x, y), (u, v) in zip(corners, corners + theta.reshape(2, 4).T, strict=True):
        equations += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return np.append(np.linalg.solve(equations, values), 1.0).reshape(3, 3)


CASES = [
    Case("affine", lambda t: np.vstack([t.reshape(2, 3), [0, 0, 1]])),
    Case("affine", lambda t: np.vstack([t.reshape(3, 4), [0, 0, 0, 1]]), {"ndim": 3}, spread=0.3),
    Case("translation", lambda t: affine_of(np.eye(2), t)),
    Case("translation", lambda t: affine_of(np.eye(3), t), {"ndim": 3}),
    Case("rotation", lambda t: affine_of(turn(t[0], 1), [0, 0]), spread=3.0),
    Case("rotation", lambda t: affine_of(turn(t[0], 1.75), [0, 0]), {"aspect": 1.75}, spread=3.0),
    Case("scale", lambda t: affine_of(np.exp(t[0]) * np.eye(2), [0, 0])),
    Case("scale", lambda t: affine_of(np.diag(np.exp(t)), [0, 0]), {"isotropic": False}),
    Case("scale", lambda t: affine_of(np.exp(t[0]) * np.eye(3), [0, 0, 0]), {"ndim": 3}),
    Case("scale", lambda t: affine_of(np.diag(np.exp(t)), [0] * 3), {"ndim": 3, "isotropic": False}),
    Case("similarity", lambda t: affine_of(np.exp(t[1]) * turn(t[0], 1), t[2:])),
    Case("similarity", lambda t: affine_of(np.exp(t[1]) * turn(t[0], 0.6), t[2:]), {"aspect": 0.6}),
    Case("attention", lambda t: affine_of(np.exp(t[0]) * np.eye(2), t[1:])),
    Case("projective", lambda t: np.append(t, 1.0).reshape(3, 3), spread=0.25),
    Case("homography4", quadrilateral, spread=0.3),
]
every = pytest.mark.parametrize("case", CASES, ids=str)
SIZES = {2: [(5, 8), (1, 6), (6, 1), (1, 1)], 3: [(3, 4, 5), (1, 1, 4)]}


def lattice_of(size):
    axes = [(2 * np.arange(n) + 1) / n - 1 for n in size]
    return np.stack(np.meshgrid(*axes, indexing="ij")[::-1], axis=-1)


def project(matrix, points):
    image = np.concatenate([points, np.ones_like(points[..., :1])], axis=-1) @ matrix.T
    return image[..., :-1] / image[..., -1:]


def random_points(family, batch=1, n=30, seed=5, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.rand(batch, n, family.ndim, generator=generator, dtype=torch.float64).to(dtype) - 1


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
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-4)])
def test_inverse_undoes_forward(case, dtype, tolerance):
    family, theta = case.build(), case.theta(dtype=dtype)
    points = random_points(family, dtype=dtype)
    found = family.inverse(theta, family(theta, points))
    assert found.dtype == dtype
    assert (found - points).abs().max() < tolerance


@every
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-4)])
def test_composition_is_one_map_after_the_other(case, dtype, tolerance):
    family = case.build()
    outer, inner = case.theta(seed=1, dtype=dtype), case.theta(seed=2, dtype=dtype)
    points = 0.5 * random_points(family, dtype=dtype)
    composed = family.compose(outer, inner)
    assert composed.dtype == dtype
    assert (family(composed, points) - family(outer, family(inner, points))).abs().max() < tolerance


@every
def test_from_matrix_undoes_matrix(case):
    family, theta = case.build(), case.theta()
    matrix = family.matrix(theta)
    scales = (1.0,) if family.affine else (1.0, 7.0, -0.01)
    for scale in scales:
        assert (family.from_matrix(scale * matrix) - theta).abs().max() < 1e-12


@every
def test_inverse_compose_and_second_gradients_pass_gradcheck(case):
    family, theta = case.build(), case.theta(batch=2).requires_grad_()
    points = random_points(family, batch=2, n=4).requires_grad_()
    size = (2, 3, 2)[-family.ndim :]
    assert torch.autograd.gradcheck(lambda theta, points: family.inverse(theta, points), (theta, 0.3 * points))
    assert torch.autograd.gradcheck(lambda outer: family.compose(outer, theta[:1].detach()), (theta[1:],))
    assert torch.autograd.gradgradcheck(lambda theta: family.grid(theta, size), (theta[:1],))


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


@every
def test_inverse_of_nonfinite_input_is_nan_with_finite_gradients(case):
    family = case.build()
    theta = case.theta(batch=2).requires_grad_()
    points = random_points(family)
    points[0, 0, 0] = math.nan
    points[0, 1, -1] = math.inf
    found = family.inverse(theta, points)
    assert found[:, :2].isnan().all()
    assert found[:, 2:].isfinite().all()
    (gradient,) = torch.autograd.grad(found[:, 2:].sum(), theta)
    assert gradient.isfinite().all()
    assert family.inverse(torch.full_like(theta, math.nan), points).isnan().all()


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


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("translation", {"ndim": 1}, "ndim: expected 2 or 3, got "),
        ("scale", {"ndim": 4}, "ndim: expected 2 or 3, got "),
        ("rotation", {"aspect": 0.0}, "aspect: expected a number between 0.001 and 1000, got "),
        ("similarity", {"aspect": math.nan}, "aspect: expected a number between 0.001 and 1000, got "),
        ("similarity", {"aspect": math.inf}, "aspect: expected a number between 0.001 and 1000, got "),
    ],
)
def test_an_option_out_of_its_range_is_refused(name, options, message):
    with pytest.raises(stnkit.errors.InputError, match=message):
        stnkit.build("transform", name, **options)


def drawn(case, data):
    family = case.build()
    entry = st.floats(-case.spread, case.spread)
    rows = data.draw(st.lists(st.tuples(*[entry] * family.n_params), min_size=2, max_size=2))
    return family, family.identity() + torch.tensor(rows, dtype=torch.float64)


@every
@given(data=st.data())
@settings(max_examples=10, deadline=None)
def test_composition_with_the_inverse_is_the_identity(case, data):
    family, theta = drawn(case, data)
    back = family.from_matrix(torch.linalg.inv(family.matrix(theta)))
    points = random_points(family, n=9)
    for composed in (family.compose(back, theta), family.compose(theta, back)):
        assert (family(composed, points) - points).abs().max() < 1e-8


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


@pytest.mark.parametrize("name", ["rotation", "similarity"])
def test_a_quarter_turn_is_seen_counter_clockwise(name):
    family = stnkit.build("transform", name)
    theta = family.identity()[None].clone()
    theta[0, 0] = math.pi / 2
    image = torch.randn(1, 1, 5, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    turned = stnkit.build("sampler", "bilinear")(image, family.grid(theta, (5, 5)))
    assert (turned - torch.rot90(image, 1, (2, 3))).abs().max() < 1e-12


@pytest.mark.parametrize("name", ["rotation", "similarity"])
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


@pytest.mark.parametrize("name", ["rotation", "similarity"])
def test_composed_angles_stay_between_minus_pi_and_pi(name):
    family = stnkit.build("transform", name)
    theta = family.identity()[None].clone()
    theta[0, 0] = 3.0
    composed = family.compose(theta, theta)
    assert composed[0, 0].item() == pytest.approx(6.0 - 2 * math.pi)


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
