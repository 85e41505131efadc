import pytest
import torch

import stnkit

soft_arg_max = stnkit.localizers.soft_arg_max
HEAT = torch.tensor([[[[0.0, 9.0], [0.0, 0.0]]]])


@pytest.mark.parametrize("temperature", [0, 0.0, -1.0, float("nan"), float("inf"), 1e-7])
def test_a_temperature_that_cannot_divide_is_refused(temperature):
    message = f"^temperature: expected a finite number of at least 1e-06, got {temperature}$"
    with pytest.raises(stnkit.errors.InputError, match=message):
        soft_arg_max(HEAT, temperature)


@pytest.mark.no_jaxtyping
def test_a_temperature_may_be_learned_and_is_not_read():
    temperature = torch.tensor(9.0, requires_grad=True)
    found = soft_arg_max(HEAT, temperature)[1]
    torch.testing.assert_close(found, soft_arg_max(HEAT, 9.0)[1])
    (gradient,) = torch.autograd.grad(found[0, 0, 0], temperature)
    assert gradient < 0  # warmer is nearer to the center
    assert soft_arg_max(HEAT.to("meta"), temperature.to("meta"))[1].shape == (1, 1, 2)


@pytest.mark.parametrize("extent", [[], [1.0], (1.0, 1.0, 1.0)])
def test_an_extent_has_a_number_for_each_axis(extent):
    message = rf"^extent: expected 2 numbers, one for each axis of a map, got \[{', '.join(map(str, extent))}\]$"
    with pytest.raises(stnkit.errors.InputError, match=message):
        soft_arg_max(HEAT, 0.1, extent)


def test_an_extent_is_that_of_the_map_in_the_image():
    # A map over half the width: the maximum at ¾ of it is at 0.75 / 2 of the image.
    found = soft_arg_max(HEAT, 0.1, [1.0, 0.5])[1]
    torch.testing.assert_close(found, torch.tensor([[[-0.25, -0.5]]]))
