"""Similarities of images against NumPy, SciPy and scikit-learn, and their properties."""

import functools

import numpy as np
import pytest
import scipy.ndimage
import scipy.stats
import sklearn.metrics
import torch

import stnkit
from stnkit.similarity import mse, mutual_information, ncc

SHAPES = [(2, 1, 12, 15), (2, 3, 9, 9), (2, 1, 6, 7, 8)]
ALL = [mse, ncc, mutual_information]


def smooth(*shape, seed=0):
    """Images without flat windows."""
    noise = np.random.default_rng(seed).random(shape)
    return torch.from_numpy(scipy.ndimage.gaussian_filter(noise, (0, 0, *[1.0] * (len(shape) - 2))))


@pytest.mark.parametrize("shape", SHAPES)
def test_mse_is_the_mean_of_squares_of_each_pair(shape):
    a, b = smooth(*shape), smooth(*shape, seed=1)
    np.testing.assert_allclose(mse(a, b), ((a - b).numpy() ** 2).reshape(2, -1).mean(axis=1))


@pytest.mark.parametrize("shape", SHAPES)
def test_ncc_is_one_less_the_mean_squared_pearson_correlation(shape):
    a, b = smooth(*shape), smooth(*shape, seed=1)
    found = ncc(a, b, window=5)
    for i in range(2):
        squares = []
        for channel in range(shape[1]):
            x, y = a[i, channel].numpy(), b[i, channel].numpy()
            for center in np.ndindex(*x.shape):
                box = tuple(slice(max(0, c - 2), c + 3) for c in center)
                squares.append(scipy.stats.pearsonr(x[box].ravel(), y[box].ravel()).statistic ** 2)
        # The variance that is added to those of the windows makes up the difference.
        assert found[i].item() == pytest.approx(1 - np.mean(squares), abs=3e-3)


def test_without_a_window_ncc_is_that_of_the_whole_image():
    a, b = smooth(3, 1, 20, 20), smooth(3, 1, 20, 20, seed=1)
    expected = [1 - scipy.stats.pearsonr(x.flatten(), y.flatten()).statistic ** 2 for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(ncc(a, b, window=None), expected, atol=1e-3)


@pytest.mark.parametrize("window", [23, 29, 10**9 + 1])
def test_a_window_beyond_the_image_has_all_of_it_everywhere(window):
    a, b = smooth(2, 1, 12, 9), smooth(2, 1, 12, 9, seed=1)
    torch.testing.assert_close(ncc(a, b, window=window), ncc(a, b, window=None))
    assert not torch.allclose(ncc(a, b, window=21), ncc(a, b, window=None), rtol=1e-6)


def test_ncc_is_blind_to_a_linear_change_of_gray_values():
    a, b = smooth(2, 1, 16, 16), smooth(2, 1, 16, 16, seed=1)
    torch.testing.assert_close(ncc(3000 - 2000 * a, b), ncc(a, b))
    assert float(ncc(a, 1 - 0.1 * a).max()) < 0.02
    # In float32, with gray values such as those of a scanner.
    torch.testing.assert_close(ncc((1e4 + 4e3 * a).float(), b.float()), ncc(a, b).float(), atol=1e-2, rtol=0)


@pytest.mark.parametrize("scale", [1e-12, 1e-9, 1e-6, 1e6, 1e12])
@pytest.mark.parametrize(
    "similarity", [ncc, functools.partial(ncc, window=None), mutual_information], ids=["ncc", "ncc of all", "mi"]
)
def test_similarities_are_blind_to_the_unit_of_gray_values(similarity, scale):
    a, b = smooth(2, 2, 12, 14).float().requires_grad_(), smooth(2, 2, 12, 14, seed=1).float()
    expected, found = similarity(a, b), similarity(scale * a, scale * b)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(similarity(scale * a, scale * a), similarity(a, a), rtol=1e-5, atol=1e-5)
    wanted, gradient = (torch.autograd.grad(value.sum(), a)[0] for value in (expected, found))
    torch.testing.assert_close(gradient, wanted, rtol=1e-3, atol=1e-3 * float(wanted.abs().max()))


@pytest.mark.parametrize(("offset", "allowed"), [(1e2, 1e-5), (1e4, 1e-4), (1e6, 2e-2)])
def test_ncc_sees_as_much_beside_an_offset_as_float32_holds(offset, allowed):
    a = smooth(1, 1, 16, 16).float()
    a = (a - a.min()) / (a.max() - a.min())
    assert float(ncc(a + offset, a)) == pytest.approx(float(ncc(a, a)), abs=allowed)
    assert float(mutual_information(a + offset, a)) == pytest.approx(float(mutual_information(a, a)), rel=10 * allowed)


@pytest.mark.parametrize("unit", [1e-12, 1e-6, 1.0, 1e12])
@pytest.mark.parametrize(("similarity", "expected"), [(ncc, 1.0), (mutual_information, 0.0)])
def test_an_image_of_roundings_is_constant_in_any_unit(similarity, expected, unit):
    image = smooth(1, 1, 16, 16).float()
    signs = torch.arange(256).view(1, 1, 16, 16) % 2
    noise = (unit * (0.7 + 2e-7 * signs)).requires_grad_()
    value = similarity(noise, image)
    assert value.item() == pytest.approx(expected, abs=1e-6)
    assert not torch.autograd.grad(value.sum(), noise)[0].any()
    # Ten times as much is an image.
    board = unit * (0.7 + 2e-6 * signs)
    assert abs(similarity(board, board).item() - expected) > 0.5


@pytest.mark.parametrize("similarity", ALL)
def test_similarities_have_second_derivatives(similarity):
    a, b = smooth(1, 1, 4, 5).requires_grad_(), smooth(1, 1, 4, 5, seed=1)
    assert torch.autograd.gradgradcheck(lambda a: similarity(a, b), a)


@pytest.mark.parametrize("similarity", ALL)
def test_vmap_compares_each_pair_by_itself(similarity):
    a, b = smooth(3, 1, 8, 9), smooth(3, 1, 8, 9, seed=1)
    b[1] = 0.5
    found = torch.vmap(lambda x, y: similarity(x[None], y[None])[0])(a, b)
    torch.testing.assert_close(found, similarity(a, b))


@pytest.mark.slow
@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("similarity", ALL)
def test_a_compiled_similarity_is_one_graph_of_equal_values(similarity):
    a, b = smooth(2, 1, 8, 9), smooth(2, 1, 8, 9, seed=1)
    torch.testing.assert_close(torch.compile(similarity, fullgraph=True, backend="eager")(a, b), similarity(a, b))


@pytest.mark.parametrize("levels", [2, 3, 4])
def test_mi_of_a_few_gray_values_is_that_of_their_histogram(levels):
    # Their Parzen windows do not overlap, so that nothing is smoothed away: the value is exact.
    rng = np.random.default_rng(levels)
    a = rng.integers(0, levels, (2, 1, 20, 20))
    b = np.where(rng.random(a.shape) < 0.6, levels - 1 - a, rng.integers(0, levels, a.shape))
    found = mutual_information(*(torch.from_numpy(x / (levels - 1)) for x in (a, b)), bins=3 + 4 * (levels - 1))
    expected = [-sklearn.metrics.mutual_info_score(x.ravel(), y.ravel()) for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.slow
def test_mi_nears_that_of_a_normal_distribution():
    # I = −½ log(1 − ρ²), of many values and narrow windows.
    generator = torch.Generator().manual_seed(0)
    a, noise = torch.randn(2, 1, 1, 400, 400, generator=generator, dtype=torch.float64)
    b = 0.8 * a + 0.6 * noise
    found = mutual_information(a, b, bins=64).item()
    assert found == pytest.approx(0.5 * np.log(1 - 0.64), abs=0.04)


def test_mi_is_symmetric_and_blind_to_any_recoloring():
    a, b = smooth(2, 1, 30, 30), smooth(2, 1, 30, 30, seed=1)
    torch.testing.assert_close(mutual_information(a, b), mutual_information(b, a))
    torch.testing.assert_close(mutual_information(5 - 3 * a, b), mutual_information(a, b))
    same, recolored, other = (mutual_information(a, x) for x in (a, (a - a.mean()).square(), b))
    assert bool((same < recolored).all())
    assert bool((recolored < other).all())
    assert bool((other < 0).all())


@pytest.mark.parametrize("similarity", ALL)
@pytest.mark.parametrize("shape", SHAPES)
def test_an_image_is_most_like_itself(similarity, shape):
    a = smooth(*shape)
    moved = a.roll(2, dims=-1)
    assert bool((similarity(a, a) < similarity(a, moved)).all())
    assert similarity(a, a).shape == (2,)
    torch.testing.assert_close(similarity(a, moved)[1:], similarity(a[1:], moved[1:]))


@pytest.mark.parametrize("similarity", ALL)
def test_gradients_of_similarities_are_those_of_differences(similarity):
    a, b = smooth(2, 1, 5, 6).requires_grad_(), smooth(2, 1, 5, 6, seed=1)
    assert torch.autograd.gradcheck(lambda a: similarity(a, b), a, fast_mode=True)


@pytest.mark.parametrize(("similarity", "expected"), [(ncc, 1.0), (mutual_information, 0.0)])
def test_a_blank_image_is_like_none_and_has_a_finite_gradient(similarity, expected):
    blank, image = torch.full((1, 1, 16, 16), 0.3, requires_grad=True), smooth(1, 1, 16, 16).float()
    for other in (image, torch.zeros_like(image)):
        value = similarity(blank, other)
        assert value.item() == pytest.approx(expected, abs=1e-5)
        assert bool(torch.autograd.grad(value.sum(), blank)[0].isfinite().all())


@pytest.mark.parametrize("size", [(1, 1, 16, 16), (2, 3, 9, 11), (1, 1, 5, 6, 7)])
def test_mi_of_images_that_tell_nothing_is_at_most_zero(size):
    blank, image = torch.full(size, 0.3), torch.rand(size, generator=torch.Generator().manual_seed(0))
    for first, second in ((blank, blank), (blank, image), (image, blank)):
        found = mutual_information(first, second)
        assert bool((found <= 0).all())
        np.testing.assert_allclose(found, 0, atol=1e-5)


def test_half_precision_images_are_compared_in_float32():
    a, b = smooth(1, 1, 12, 12), smooth(1, 1, 12, 12, seed=1)
    for similarity in ALL:
        assert similarity(a.half(), b.half()).dtype == torch.float32


@pytest.mark.parametrize("similarity", ALL)
def test_autocast_does_not_round_a_similarity(similarity):
    a, b = smooth(2, 1, 28, 28).float(), smooth(2, 1, 28, 28, seed=1).float()
    with torch.autocast("cpu", torch.bfloat16):
        found = similarity(a, b)
    torch.testing.assert_close(found, similarity(a, b), rtol=0, atol=0)


@pytest.mark.no_jaxtyping
def test_what_cannot_be_compared_is_one_sentence():
    a, InputError = torch.rand(1, 1, 8, 8), stnkit.errors.InputError
    for similarity in ALL:
        with pytest.raises(InputError, match=r"of one shape, \(B, C, \*size\), got \(1, 1, 8, 8\) and \(1, 1, 8, 7\)"):
            similarity(a, a[..., :7])
        with pytest.raises(InputError, match="first: expected a tensor, got float"):
            similarity(0.5, a)
    with pytest.raises(InputError, match="window: expected an odd number of at least 3, or none, got 4"):
        ncc(a, a, window=4)
    with pytest.raises(InputError, match="bins: expected at least 5, got 4"):
        mutual_information(a, a, bins=4)
