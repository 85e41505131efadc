"""Points that a map has lost stay outside, whatever map comes next."""

import pytest
import torch

import stnkit
from stnkit.experiments.losses.equivariance import Drawn
from stnkit.experiments.losses.nodes import FARTHEST
from stnkit.experiments.losses.supervision import supervision_error
from stnkit.experiments.pose.maps import composed, poses
from stnkit.families import onward

OUTSIDE = stnkit.coordinates.OUTSIDE
PROJECTIVE = stnkit.build("transform", "projective")
# w of the corner (1, 1) is -0.6; the second one takes what is far away to near (2.5, 2.5) or to infinity.
LOSING = torch.tensor([[1, 0, 0, 0, 1, 0, -0.8, -0.8]], dtype=torch.float64)
RECALLING = torch.tensor([[1, 0, 0, 0, 1, 0, 0.4, 0.4]], dtype=torch.float64)
CORNER = torch.ones(1, 1, 2, dtype=torch.float64)


def test_a_projective_map_brings_no_lost_point_back():
    lost = PROJECTIVE(LOSING, CORNER)
    assert lost.abs().min() == OUTSIDE
    assert PROJECTIVE(RECALLING, lost).abs().max() < 2  # what would be read otherwise
    assert torch.equal(onward(PROJECTIVE, RECALLING, lost), lost)
    kept = torch.full_like(CORNER, 0.3)
    assert torch.equal(onward(PROJECTIVE, RECALLING, kept), PROJECTIVE(RECALLING, kept))


def test_lost_points_have_no_gradient_and_nan_stays():
    source = torch.tensor([[[0.1, 0.2], [OUTSIDE, -OUTSIDE], [torch.nan, 0.0]]], dtype=torch.float64)
    theta = RECALLING.clone().requires_grad_()
    found = onward(PROJECTIVE, theta, source)
    torch.testing.assert_close(found[:, 1:], source[:, 1:], equal_nan=True)
    found[:, 1:].nan_to_num().sum().backward()
    assert torch.equal(theta.grad, torch.zeros_like(theta))


def test_a_lost_corner_has_no_pose_under_a_projective_distortion():
    found = poses(composed(PROJECTIVE, RECALLING, PROJECTIVE, LOSING), (28, 28), (28, 28), LOSING)
    assert found.defined.tolist() == [False]
    milder = LOSING * torch.tensor([1, 1, 1, 1, 1, 1, 0.1, 0.1])
    assert poses(composed(PROJECTIVE, RECALLING, PROJECTIVE, milder), (28, 28), (28, 28), LOSING).defined.all()


def test_supervision_counts_a_lost_node_as_far_away():
    nodes = stnkit.coordinates.lattice((4, 4), dtype=torch.float64).view(1, -1, 2)
    w = 1 - 0.8 * nodes.sum(dim=-1, keepdim=True)
    source = nodes / w
    source = source / (1 + 0.4 * source.sum(dim=-1, keepdim=True))
    source = torch.where(w > 0, source, FARTHEST).clamp(-FARTHEST, FARTHEST)
    expected = (source - nodes).square().sum(dim=-1).mean()
    assert (w <= 0).any()
    assert supervision_error(PROJECTIVE, LOSING, PROJECTIVE, RECALLING).item() == pytest.approx(expected.item())


def test_delta_of_a_distortion_leaves_a_lost_node_outside():
    assert torch.equal(Drawn(PROJECTIVE, RECALLING)(PROJECTIVE(LOSING, CORNER)), torch.full_like(CORNER, OUTSIDE))
