"""The head of a map of features: θ on the family's lattice, from the identity on."""

import copy

import numpy as np
import pytest
import torch
from scipy import ndimage

import stnkit
from stnkit.heads import lattice_axis
from stnkit.localizers import LatticeHead
from tests.lattice_cases import FAMILIES

# Lattices at least as fine as a map of two cells along each axis.
FINE = [
    *FAMILIES[:4],
    ("bspline", {"control_points": [6, 5, 7], "ndim": 3}),
    ("displacement", {"resolution": [2, 3, 4], "ndim": 3}),
    ("piecewise_affine", {"control_points": [3, 4, 5], "ndim": 3}),
    ("tps", {"control_points": [3, 4, 3], "ndim": 3}),
]
SIZE = {2: (9, 12), 3: (5, 6, 7)}


def built(name="bspline", options=None, **head):
    family = stnkit.build("transform", name, **(options or {}))
    return family, LatticeHead(5, family, **head)


def a_map(family, batch=3, n=5, dtype=torch.float32):
    return torch.randn(batch, n, *SIZE[family.ndim], dtype=dtype)


@pytest.mark.parametrize(("name", "options"), FAMILIES)
def test_a_lattice_head_starts_at_the_identity(name, options):
    family, head = built(name, options)
    for dtype in (torch.float32, torch.bfloat16, torch.float64):
        theta = head.to(dtype)(a_map(family, dtype=dtype))
        assert theta.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
        torch.testing.assert_close(theta, family.identity().to(theta).expand(3, -1), rtol=0, atol=0)


@pytest.mark.parametrize(("name", "options"), FAMILIES)
def test_a_lattice_head_starts_at_transform_init(name, options):
    start = stnkit.build("transform", name, **options).identity() + 0.01
    family, head = built(name, options, transform_init=start)
    torch.testing.assert_close(head(a_map(family)), start.float().expand(3, -1))
    with torch.no_grad():
        for tensor in (*head.parameters(), head.start):
            tensor.normal_()
    head.reset_parameters()
    torch.testing.assert_close(head(a_map(family)), start.float().expand(3, -1))


@pytest.mark.parametrize(("name", "options"), FINE)
def test_theta_is_the_map_read_at_the_points_of_the_lattice(name, options):
    family, head = built(name, options)
    head.double()
    features = torch.randn(2, 5, *[2] * family.ndim, dtype=torch.float64)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.normal_()
        theta = head(features)
    planes = torch.einsum("dc,bc...->bd...", head.weight, features).detach().numpy()
    extent = family.lattice_extent or (1.0,) * family.ndim
    axes = [((lattice_axis(n, e).numpy() + 1) * 2 - 1) / 2 for n, e in zip(family.lattice_shape, extent, strict=True)]
    where = np.stack(np.meshgrid(*axes, indexing="ij"))
    for row in range(2):
        read = [ndimage.map_coordinates(plane, where, order=1, mode="nearest").ravel() for plane in planes[row]]
        expected = np.concatenate(read) + np.repeat(head.offset.detach().numpy(), len(read[0]))
        np.testing.assert_allclose(theta[row].numpy() - family.identity().numpy(), expected, atol=1e-12)


@pytest.mark.parametrize(("size", "resolution"), [((12, 30), (3, 7)), ((11, 9), (4, 9)), ((64, 5), (1, 8))])
def test_a_fine_map_is_read_as_torchs_antialiased_resize(size, resolution):
    _, head = built("displacement", {"resolution": list(resolution)})
    features = torch.randn(2, 5, *size)
    with torch.no_grad():
        head.weight.normal_()
    resized = torch.nn.functional.interpolate(features, resolution, mode="bilinear", antialias=True)
    expected = torch.einsum("dc,bchw->bdhw", head.weight, resized).flatten(1)
    torch.testing.assert_close(head(features), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("name", "options"), FAMILIES)
def test_theta_of_one_channel_is_its_coordinate_planar(name, options):
    """x of the map moves x, and y moves y: neither the coordinates nor the axes are exchanged."""
    family, head = built(name, options)
    size = (40,) * family.ndim
    features = torch.zeros(1, 5, *size)
    features[:, : family.ndim] = stnkit.coordinates.lattice(size).movedim(-1, 0)
    with torch.no_grad():
        head.weight.copy_(torch.eye(family.ndim, 5))
    found = (head(features) - family.identity().float()).view(family.ndim, *family.lattice_shape)
    extent = family.lattice_extent or (1.0,) * family.ndim
    axes = [lattice_axis(n, e) for n, e in zip(family.lattice_shape, extent, strict=True)]
    expected = torch.stack(torch.meshgrid(*axes, indexing="ij")[::-1]).float()
    # Near the border a tent is cut off, and what it reads is nearer to the center.
    inside = expected.abs() < 0.45
    torch.testing.assert_close(found[inside], expected[inside], atol=0.03, rtol=0)
    assert bool((found * expected >= -1e-6).all())
    assert bool(((found.abs() > 0.2) | inside).all())


@pytest.mark.parametrize("name", ["bspline", "displacement", "tps", "piecewise_affine"])
def test_a_map_shifted_by_a_spacing_shifts_theta_by_a_point(name):
    option = "resolution" if name == "displacement" else "control_points"
    family = stnkit.build("transform", name, **{option: [9, 9]})
    head = LatticeHead(5, family)
    extent = family.lattice_extent[0] if family.lattice_extent else 1.0
    n_cells = round(4 * 8 / extent)  # such that control points are four cells apart
    assert extent * n_cells / 8 == pytest.approx(4)
    with torch.no_grad():
        head.weight.normal_()
    features = torch.randn(1, 5, n_cells + 4, n_cells)
    first, second = (
        (head(part) - family.identity().float()).view(2, 9, 9)
        for part in (features[:, :, :n_cells], features[:, :, 4:])
    )
    torch.testing.assert_close(first[:, 3:7], second[:, 2:6], atol=1e-5, rtol=1e-5)


def test_the_state_of_a_head_holds_its_whole_theta():
    start = [0.9 * x for x in stnkit.build("transform", "tps").identity().tolist()]
    family, head = built("tps", transform_init=start)
    other = LatticeHead(5, family)
    other.load_state_dict(head.state_dict())
    torch.testing.assert_close(other(a_map(family)), head(a_map(family)))
    assert set(head.state_dict()) == {"weight", "offset", "start"}


def test_weight_decay_leaves_the_identity_of_a_lattice():
    family, head = built("piecewise_affine")
    optimizer = torch.optim.SGD(head.parameters(), lr=10.0, weight_decay=5e-2)
    for _ in range(50):
        optimizer.zero_grad()
        (head(a_map(family)) * 0.0).sum().backward()
        optimizer.step()
    torch.testing.assert_close(head(a_map(family)), family.identity().float().expand(3, -1))


def test_autocast_leaves_theta_in_full_precision():
    family, head = built()
    with torch.no_grad():
        head.weight.normal_()
    features = a_map(family).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        found = head(features)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, head(features.float()))


class Learned(stnkit.families.MatrixFamily):
    """T_θ(p) = scale · p + θ with a learned scale, from a neutral θ that is learned too."""

    n_params = 2
    affine = True

    def __init__(self):
        super().__init__()
        self.start = torch.nn.Parameter(torch.zeros(2, dtype=torch.float64))
        self.scale = torch.nn.Parameter(torch.tensor(1.0))

    def identity(self):
        return self.start

    def rows(self, theta):
        linear = self.scale.to(theta) * torch.eye(2).to(theta).expand(len(theta), 2, 2)
        return torch.cat([linear, (theta - self.start.to(theta))[..., None]], dim=2)

    def _from_matrix(self, matrix):
        return self.scale * matrix[:, :2, 2] + self.start


@pytest.mark.parametrize("init", [None, {"center": [0.25, 0.5]}])
def test_the_start_is_a_value_of_what_a_family_has_learned(init):
    family = Learned()
    head = stnkit.localizers.RegressionHead(3, family, init)
    with torch.no_grad():
        family.start.fill_(7.0)
    copied = copy.deepcopy(head)
    copied.reset_parameters()
    assert copied(torch.ones(1, 3)).tolist() == head(torch.ones(1, 3)).tolist() == [[0.25, 0.5] if init else [0.0, 0.0]]


def test_a_lattice_head_built_on_meta_starts_at_the_identity():
    family = stnkit.build("transform", "tps")
    with torch.device("meta"):
        heads = [LatticeHead(5, family) for _ in range(2)]
    heads[0].to_empty(device="cpu").reset_parameters()
    heads[1].load_state_dict(LatticeHead(5, family).state_dict(), assign=True)
    for head in heads:
        torch.testing.assert_close(head(a_map(family, batch=1))[0], family.identity().float())


def test_a_map_of_an_empty_batch_is_an_empty_theta():
    family, head = built()
    theta = head(torch.zeros(0, 5, 8, 8, requires_grad=True))
    assert theta.shape == (0, family.n_params)
    theta.sum().backward()
    assert not head.weight.grad.any()
