"""Digits that fast fields leave: what the docs say of them, by the cells that points cross in the unit of time."""

import pytest
import torch

import stnkit


def there_and_back(cells, crossed, dtype=torch.float64, **options):
    """The largest errors of T⁻¹(T(p)) from p, and of T(T⁻¹(q)) from q, of random θ."""
    family = stnkit.build("transform", "cpab", cells=[cells, cells], **options)
    generator = torch.Generator().manual_seed(0)
    theta, points = (
        (2 * torch.rand(8, *shape, generator=generator, dtype=torch.float64) - 1).to(dtype)
        for shape in ((family.n_params,), (60, 2))
    )
    theta = 2 * crossed / cells * theta
    source = family(theta, points)
    back = family.inverse(theta, source)
    return float((back - points).abs().max()), float((family(theta, back) - source).abs().max())


@pytest.mark.parametrize("cells", [3, 6])
@pytest.mark.parametrize(
    ("crossed", "dtype", "least", "most"),
    [(3, torch.float32, 1e-5, 2e-3), (3, torch.float64, 1e-14, 3e-12), (6, torch.float64, 1e-11, 2e-7)],
)
def test_there_and_back_is_off_by_what_the_docs_say(cells, crossed, dtype, least, most):
    assert least < there_and_back(cells, crossed, dtype)[0] < most


@pytest.mark.parametrize(
    ("crossed", "dtype", "most"), [(3, torch.float32, 2e-3), (3, torch.float64, 3e-12), (6, torch.float64, 2e-7)]
)
def test_the_docs_tell_the_speed_and_not_its_components(crossed, dtype, most):
    # Signs, of which every vertex inside has the largest speed.
    family, generator = stnkit.build("transform", "cpab", cells=[3, 3]), torch.Generator().manual_seed(0)
    signs, points = (torch.rand(16, *shape, generator=generator) - 0.5 for shape in ((family.n_params,), (300, 2)))
    theta, points = signs.sign().to(dtype), 2 * points.to(dtype)
    speed = family.velocities(theta).norm(dim=-1).amax()
    torch.testing.assert_close(speed, torch.tensor(2**0.5, dtype=dtype))
    theta = theta * (2 * crossed / 3) / speed
    assert (family.inverse(theta, family(theta, points)) - points).abs().max() < most


def test_the_inverse_of_pressed_points_is_one_of_them():
    pressed, kept = there_and_back(3, 12)
    assert pressed > 1e-3
    assert kept < 1e-10


def test_fields_that_preserve_areas_lose_no_digits():
    assert there_and_back(3, 12, volume_preserving=True)[0] < 1e-12
