"""The pose figures in the record of real runs, and the terms of the loss that change them."""

import json

import pytest

from tests.helpers import QUICK, metrics

FIGURES = (
    "rotation_residual",
    "log_scale_residual",
    "translation_residual",
    "corner_error_raw",
    "corner_error_global",
    "corner_error_per_class",
    "rectified_variance",
)


@pytest.mark.training
def test_a_record_compares_the_pose_with_that_of_the_identity(stnkit_main):
    still = ["distortion=none", "training.epochs=1"]
    for name, options in (("placed", ["out_size=[20,24]"]), ("plain", ["placement=none"]), ("still", still)):
        assert stnkit_main("train", *QUICK, "training.epochs=1", f"hydra.run.dir={name}", *options)[0] == 0
    placed, plain = metrics("placed"), metrics("plain")
    for name in FIGURES:
        assert placed[name] >= 0
        assert name not in plain
        assert plain[f"{name}_identity"] > 0.1
        if not name.startswith(("corner", "rectified")):
            # What is common to all images, as the size of the output is, does not count.
            assert placed[f"{name}_identity"] == pytest.approx(plain[f"{name}_identity"], abs=1e-6)
    assert plain["undefined"] == dict.fromkeys(FIGURES, "the network has no transformer at its input")
    assert not any(name.startswith(FIGURES) for name in metrics("still"))
    assert metrics("still")["undefined"]["rotation_residual"] == "the distortion moves no point of any image"
    # Uniform in ±45°.
    assert plain["rotation_residual_identity"] == pytest.approx(45 / 3**0.5, rel=0.1)
    assert len(placed["pose"]["rotation_residual"]) == 10
    assert sum(placed["pose"]["images"]) == 400
    assert placed["pose"]["undefined"] == 0


@pytest.mark.training
def test_a_resumed_run_forgets_why_a_figure_was_undefined(copy_of_quick_run, stnkit_main):
    # Interrupted after the figures of its test.
    before = metrics("run") | {"status": "interrupted", "undefined": {"rotation_residual": "it was not defined"}}
    (copy_of_quick_run / "metrics.json").write_text(json.dumps(before))
    assert stnkit_main("train", "resume=run")[0] == 0
    after = metrics("run")
    assert after["status"] == "completed"
    assert after["began"] == before["began"]
    assert "undefined" not in after
    assert after["rotation_residual"] == before["rotation_residual"]


@pytest.mark.training
def test_a_supervised_transformer_learns_to_undo_the_distortion(stnkit_main):
    options = ["distortion=rotation", "training.batch_size=64", "training.epochs=10", "training.localizer_scale=1.0"]
    assert stnkit_main("train", *QUICK, *options, "training.supervision=1.0", "hydra.run.dir=run")[0] == 0
    told = metrics("run")
    assert told["rotation_residual_identity"] == pytest.approx(90 / 3**0.5, rel=0.1)
    assert told["rotation_residual"] < 30
    assert told["corner_error_per_class"] < told["corner_error_per_class_identity"] / 3
    assert told["rectified_variance"] < 0.6 * told["rectified_variance_identity"]
    errors = [row["train_supervision"] for row in told["history"]]
    assert errors[-1] < errors[0] / 3


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.equivariance.weight=-1", "training.equivariance.weight: expected a number of at least 0, got -1.0"),
        ("training.equivariance.common_pose=-1", "common_pose: expected a number of at least 0, got -1.0"),
        ("training.equivariance.wieght=1", "; did you mean training.equivariance.weight?"),
        ("training.supervision=much", "could not be converted to Float"),
    ],
)
def test_a_mistake_in_a_term_is_one_sentence(override, message, stnkit_main):
    code, _, err = stnkit_main("train", *QUICK, override)
    assert code == 2
    (line,) = [line for line in err.splitlines() if line and not line.startswith("[")]
    assert message in line


@pytest.mark.parametrize("loss", ["training.equivariance", "training.equivariance.common_pose"])
def test_losses_on_theta_are_refused_without_a_transformer(loss, stnkit_main):
    option = loss if loss.endswith("pose") else f"{loss}.weight"
    code, _, err = stnkit_main("train", *QUICK, "placement=none", f"{option}=1")
    assert code == 2
    assert f"{loss}: expected one spatial transformer at the input, got none" in err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("option", "expected", "got"),
    [
        ("degrees=30", "null", "30.0"),
        ("scale=1.1", "null", "1.1"),
        ("shift=0.1", "null", "0.1"),
        ("augment=true", "false", "true"),
    ],
)
@pytest.mark.parametrize("words", [["distortion=elastic"], ["distortion=elastic", "dry_run=true"]])
def test_options_of_a_loss_that_is_off_are_refused(option, expected, got, words, stnkit_main, tmp_path):
    code, _, err = stnkit_main("train", *QUICK, *words, f"training.equivariance.{option}", "hydra.run.dir=run")
    assert code == 2
    assert err == (
        f"stnkit train: training.equivariance.{option.split('=')[0]}: expected {expected}, since "
        f"training.equivariance.weight is 0 by default here, got {got}\n"
    )


@pytest.mark.parametrize("option", ["equivariance.common_pose", "supervision"])
def test_a_loss_on_theta_of_pairs_is_refused(option, stnkit_main):
    words = ["dataset=pairs", "distortion=rotation", "transform=affine"]
    code, _, err = stnkit_main("train", *words, f"training.{option}=1")
    assert code == 2
    assert f"training.{option}: expected single images, got pairs" in err
