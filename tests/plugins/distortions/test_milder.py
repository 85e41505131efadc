"""Milder distortions: those of half the reach, from which equivariance draws its Δ."""

import math

import pytest
import torch

import stnkit


@pytest.mark.parametrize(("name", "degrees", "scale"), [("rotation", 45.0, 1.0), ("rts", 22.5, (1.2 / 0.7) ** 0.25)])
def test_delta_of_a_distortion_turns_half_as_far(name, degrees, scale):
    distortion = stnkit.build("distortion", name, image_shape=(1, 20, 20))
    milder = distortion.milder()
    assert tuple(milder.out_size) == tuple(distortion.out_size)
    matrix = milder.family.matrix(milder.sample(4000, torch.Generator().manual_seed(0)).double())[:, :2, :2]
    turns = torch.rad2deg(torch.atan2(matrix[:, 1, 0], matrix[:, 0, 0]))
    zooms = torch.linalg.det(matrix).sqrt().log()
    for values, bound in ((turns, degrees), (zooms, math.log(scale))):
        assert values.abs().max() <= bound * 1.0001 + 1e-6
        assert values.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05, abs=1e-6)


def test_delta_of_rts_shifts_half_as_far_as_at_scale_1():
    distortion = stnkit.build("distortion", "rts", image_shape=(1, 20, 24), canvas=(36, 48), degrees=0, scale=(1, 1))
    milder = distortion.milder()
    theta = milder.sample(4000, torch.Generator().manual_seed(0)).double()[:, [2, 5]] * torch.tensor([24, 18])
    for values, farthest in zip(theta.T, (6.0, 4.0), strict=True):  # positions go 12 and 8 pixels from the center
        assert values.abs().max() <= farthest * 1.0001
        assert values.std().item() == pytest.approx(farthest / math.sqrt(3), rel=0.05)


def test_delta_of_the_cluttered_distortion_shifts_half_as_far():
    distortion = stnkit.build("distortion", "translated_cluttered", image_shape=(1, 20, 24), canvas=(36, 48), patches=0)
    milder = distortion.milder()
    assert tuple(milder.out_size) == (36, 48)
    theta = milder.sample(4000, torch.Generator().manual_seed(0)).double() * torch.tensor([24, 18])
    for values, farthest in zip(theta.T, (6.0, 4.0), strict=True):  # positions go 12 and 8 pixels from the center
        assert values.abs().max() <= farthest * 1.0001
        assert values.std().item() == pytest.approx(farthest / math.sqrt(3), rel=0.05)


def test_a_cluttered_canvas_without_room_has_no_delta():
    assert stnkit.build("distortion", "translated_cluttered", image_shape=(1, 60, 60)).milder() is None
