import math

import pytest

import stnkit
from stnkit.experiments.schema import EquivarianceConfig, TrainingConfig


def test_the_defaults_are_valid():
    TrainingConfig().validate()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        *(
            ({name: 0}, f"training.{name}: expected a number of at least 1, got 0")
            for name in ("epochs", "batch_size", "checkpoint_every", "step_every", "devices")
        ),
        *(
            ({name: value}, f"training.{name}: expected a number of at least 0, got {value}")
            for name in ("learning_rate", "localizer_scale", "weight_decay", "momentum", "step_factor", "supervision")
            for value in (-1.0, math.inf, math.nan)
        ),
        ({"patience": 0}, "training.patience: expected a number of at least 1, got 0"),
        ({"gradient_clip": 0.0}, "training.gradient_clip: expected a number above 0 or null, got 0.0"),
        (
            {"precision": "16-true"},
            "training.precision: expected one of 32-true, 64-true, 16-mixed, bf16-mixed, got 16-t",
        ),
        ({"strategy": "fsdp"}, "training.strategy: expected one of auto, ddp, ddp_find_unused_parameters_true, got fs"),
        (
            {"devices": 2, "batch_size": 3},
            "training.batch_size: expected at least 2 images for each of the 2 devices, got 3",
        ),
    ],
)
@pytest.mark.no_jaxtyping
def test_an_option_out_of_range_is_refused_by_name(options, message):
    with pytest.raises(stnkit.errors.InputError) as caught:
        TrainingConfig(**options).validate()
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weight": -1.0}, "weight: expected a number of at least 0, got -1.0"),
        ({"degrees": 200.0}, "degrees: expected a number between 0 and 180, got 200.0"),
        ({"scale": 0.5}, "scale: expected a number of at least 1, got 0.5"),
        ({"shift": math.inf}, "shift: expected a number of at least 0, got inf"),
    ],
)
def test_an_equivariance_option_out_of_range_is_refused(options, message):
    with pytest.raises(stnkit.errors.InputError) as caught:
        TrainingConfig(equivariance=EquivarianceConfig(**options)).validate()
    assert f"training.equivariance.{message}" in str(caught.value)
