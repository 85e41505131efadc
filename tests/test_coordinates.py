import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

import stnkit
from stnkit import coordinates

sizes = st.lists(st.integers(1, 9), min_size=2, max_size=3)


def test_pixel_centers_match_torch_without_aligned_corners():
    identity = torch.eye(2, 3, dtype=torch.float64)[None]
    expected = F.affine_grid(identity, [1, 1, 5, 8], align_corners=False)[0]
    torch.testing.assert_close(coordinates.lattice((5, 8), dtype=torch.float64), expected)


def test_lattice_is_x_first_in_three_dimensions():
    lattice = coordinates.lattice((2, 3, 5), dtype=torch.float64)
    assert lattice.shape == (2, 3, 5, 3)
    np.testing.assert_allclose(lattice[0, 0, :, 0], (2 * np.arange(5) + 1) / 5 - 1)
    np.testing.assert_allclose(lattice[:, 0, 0, 2], (2 * np.arange(2) + 1) / 2 - 1)


def test_a_mesh_has_the_coordinates_of_its_axes_x_first():
    z, y, x = torch.tensor([7.0]), torch.tensor([1.0, 2.0]), torch.tensor([4.0, 5.0, 6.0])
    mesh = coordinates.mesh([z, y, x])
    assert mesh.shape == (1, 2, 3, 3)
    assert mesh[0, 1].tolist() == [[4, 2, 7], [5, 2, 7], [6, 2, 7]]


@given(size=sizes)
def test_lattice_in_pixels_counts_the_pixels(size):
    pixels = coordinates.to_pixels(coordinates.lattice(size, dtype=torch.float64), size)
    expected = np.stack(np.meshgrid(*[np.arange(n) for n in size], indexing="ij")[::-1], axis=-1)
    np.testing.assert_allclose(pixels, expected, atol=1e-12)


@given(size=sizes, seed=st.integers(0, 99))
def test_pixels_and_back_is_the_identity(size, seed):
    points = torch.randn(7, len(size), dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    back = coordinates.from_pixels(coordinates.to_pixels(points, size), size)
    torch.testing.assert_close(back, points)


def test_edges_of_the_image_are_at_one():
    corners = torch.tensor([[-1.0, -1.0], [1.0, 1.0]])
    torch.testing.assert_close(coordinates.to_pixels(corners, (4, 6)), torch.tensor([[-0.5, -0.5], [5.5, 3.5]]))


@pytest.mark.parametrize("n", [1, 2, 16])
def test_border_is_closed_and_encloses_the_square(n):
    x, y = coordinates.border(n, dtype=torch.float64).T
    assert len(x) == 4 * n + 1
    assert (x[0], y[0]) == (x[-1], y[-1])
    assert bool((torch.maximum(x.abs(), y.abs()) == 1).all())
    # The shoelace formula: of area 4, and equal steps between the points.
    assert float((x[:-1] * y[1:] - x[1:] * y[:-1]).sum() / 2) == pytest.approx(4)
    torch.testing.assert_close(torch.hypot(x.diff(), y.diff()), torch.full((4 * n,), 2 / n, dtype=torch.float64))


@given(in_size=st.tuples(*[st.integers(1, 9)] * 2), out_size=st.tuples(*[st.integers(1, 9)] * 2))
def test_normalized_matrix_is_the_same_map(in_size, out_size):
    matrix = torch.eye(3, dtype=torch.float64)
    matrix[:2] += torch.tensor([[0.3, -0.2, 1.5], [0.1, 0.4, -2.0]], dtype=torch.float64)
    pixels = torch.tensor([[0.0, 0.0], [1.5, 2.5]], dtype=torch.float64)
    expected = coordinates.from_pixels(pixels @ matrix[:2, :2].T + matrix[:2, 2], in_size)
    normalized = coordinates.normalized_matrix(matrix, in_size, out_size)
    points = coordinates.from_pixels(pixels, out_size)
    torch.testing.assert_close(points @ normalized[:2, :2].T + normalized[:2, 2], expected)


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("size", [[0, 5], [3], [2, 2, 2], [2.0, 3], [True, 3], [-1, 4], 28, None])
def test_a_size_that_is_none_is_refused_with_what_was_given(size):
    with pytest.raises(stnkit.errors.InputError, match="size: expected 2 whole numbers of at least 1") as error:
        coordinates.check_size(size, 2)
    assert str(error.value).endswith(f"got {size}")


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("size", [[4, 5], torch.Size([4, 5]), np.array([4, 5]), (np.int64(4), 5)])
def test_a_size_is_any_sequence_of_whole_numbers(size):
    checked = coordinates.check_size(size, 2)
    assert checked == (4, 5)
    assert [type(n) for n in checked] == [int, int]


@pytest.mark.no_jaxtyping  # which knows the dtypes of this machine's byte order
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", ">f8", "float16"])
def test_points_of_numpy_are_taken(dtype):
    points = np.array([[0, 3], [7, 1]], dtype=dtype)[::-1]
    points.flags.writeable = False
    normalized = coordinates.from_pixels(points, (4, 8))
    expected = coordinates.from_pixels(torch.tensor([[7.0, 1.0], [0.0, 3.0]]), (4, 8))
    torch.testing.assert_close(normalized.float(), expected)
    back = coordinates.to_pixels(normalized.numpy(), (4, 8))
    torch.testing.assert_close(back.float(), torch.tensor(points.astype("float32")))


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("convert", [coordinates.from_pixels, coordinates.to_pixels])
def test_points_or_a_size_that_are_none_are_refused(convert):
    message = r"^size: expected 2 numbers, one for each coordinate of points, got 64$"
    with pytest.raises(stnkit.errors.InputError, match=message):
        convert(torch.zeros(1, 2), 64)
    with pytest.raises(stnkit.errors.InputError, match=r"^points: expected a tensor or an array of NumPy, got list$"):
        convert([[0.0, 1.0]], (4, 8))
    with pytest.raises(stnkit.errors.InputError, match=r"^points: expected real numbers, got <U1$"):
        convert(np.array([["a", "b"]]), (4, 8))
    with pytest.raises(stnkit.errors.InputError, match=r"^size: expected 2 numbers, .*, got None$"):
        convert(torch.zeros(1, 2), None)
    with pytest.raises(stnkit.errors.InputError, match=r"^size: expected 0 numbers, .*, got \(4, 8\)$"):
        convert(torch.tensor(1.0), (4, 8))


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("size", [(0, 3), (4, -4), (4.5, 3), (4.0, 3), (True, 3), "ab", (None, 3)])
@pytest.mark.parametrize("convert", [coordinates.from_pixels, coordinates.to_pixels])
def test_a_size_of_no_image_is_refused(convert, size):
    with pytest.raises(stnkit.errors.InputError, match=r"^size: expected 2 whole numbers of at least 1, got"):
        convert(torch.zeros(1, 2), size)


@pytest.mark.parametrize("size", [[4, 8], torch.Size([4, 8]), torch.zeros(1, 1, 4, 8).shape[2:]])
@pytest.mark.parametrize("convert", [coordinates.from_pixels, coordinates.to_pixels])
def test_a_size_of_any_kind_is_taken(convert, size):
    points = torch.tensor([[0.5, 0.25]])
    assert torch.equal(convert(points, size), convert(points, (4, 8)))


@pytest.mark.no_jaxtyping
def test_points_and_size_of_different_dimensions_are_refused():
    with pytest.raises(stnkit.errors.InputError, match=r"size: expected 3 numbers, one for .*, got \(4, 4\)"):
        coordinates.to_pixels(torch.zeros(2, 3), (4, 4))


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("shape", "sizes", "message"),
    [
        ((3, 4), ((4, 4), (4, 4)), r"matrix: expected shape \(…, 3, 3\) or \(…, 4, 4\), got \(3, 4\)"),
        ((3,), ((4, 4), (4, 4)), r"matrix: expected shape"),
        ((3, 3), ((4, 4, 4), (4, 4)), r"size: expected 2 whole numbers of at least 1, got \[4, 4, 4\]"),
        ((3, 3), ((4, 4), (0, 4)), r"size: expected 2 whole numbers of at least 1, got \[0, 4\]"),
        ((4, 4), ((4, 4, 4), (4, 4)), r"size: expected 3 whole numbers of at least 1, got \[4, 4\]"),
    ],
)
def test_a_matrix_that_fits_no_image_is_refused(shape, sizes, message):
    with pytest.raises(stnkit.errors.InputError, match=f"^{message}"):
        coordinates.normalized_matrix(torch.ones(shape), *sizes)


@pytest.mark.no_jaxtyping
def test_a_matrix_of_numpy_is_refused():
    with pytest.raises(stnkit.errors.InputError, match="matrix: expected a tensor, got ndarray"):
        coordinates.normalized_matrix(np.eye(3), (4, 4), (4, 4))
