"""Linear families whose basis has weights of its own: a grid follows each change of them, and teaches them."""

import pytest
import torch
from torch import nn

import stnkit
import stnkit.testing
from stnkit.families import scattered_basis
from tests.helpers import random_theta

SIZE = (6, 7)


class Wave(stnkit.families.LinearFamily):
    n_params = 8

    def __init__(self, learned=True):
        super().__init__()
        if learned:
            self.frequency = nn.Parameter(torch.ones(()))
        else:
            self.register_buffer("frequency", torch.ones(()))
        self.register_parameter("none", None)
        self.register_buffer("neither", None)

    def identity(self):
        return torch.tensor([0, 1, 0, 0, 0, 0, 1, 0], dtype=torch.float64)

    def basis(self, points):
        x, y = points.unbind(dim=-1)
        f = self.frequency.to(points)
        return torch.stack([torch.ones_like(x), x, y, torch.sin(f * x) * torch.cos(f * y)], dim=-1)


class Nested(Wave):
    """The same, with the weights in a part of it."""

    def __init__(self, learned=True):
        super().__init__(learned)
        self.inner = Wave(learned)
        del self.frequency

    def basis(self, points):
        return self.inner.basis(points)


def theta_of(family, **options):
    return family.identity() + random_theta(family, batch=2, scale=0.3, **options)


def by_forward(family, theta, size=SIZE):
    points = stnkit.coordinates.lattice(size, dtype=theta.dtype).view(1, -1, 2)
    return family(theta, points).view(len(theta), *size, 2)


@pytest.fixture(params=["whole", "in chunks"])
def _chunks(request, monkeypatch):
    if request.param == "in chunks":
        monkeypatch.setattr(scattered_basis, "BASIS_CHUNK_BYTES", 8 * 4 * 10)


def by_step(family):
    optimizer = torch.optim.SGD(family.parameters(), lr=0.5)
    family.frequency.grad = torch.ones(())
    optimizer.step()


def in_place(family):
    with torch.no_grad():
        family.frequency.add_(0.5)


def by_data(family):
    family.frequency.data.add_(0.5)


def by_load(family):
    family.load_state_dict({"frequency": torch.tensor(1.5)})


CHANGES = [by_step, in_place, by_data, by_load]


@pytest.mark.usefixtures("_chunks")
@pytest.mark.parametrize("mode", [torch.enable_grad, torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize(("change", "learned"), [(c, True) for c in CHANGES] + [(c, False) for c in CHANGES[1:]])
def test_a_grid_follows_a_change_of_the_weights(change, learned, mode):
    family = Wave(learned)
    theta = theta_of(family)
    with mode():
        before = family.grid(theta, SIZE)
    change(family)
    with mode():
        after = family.grid(theta, SIZE)
        torch.testing.assert_close(after, by_forward(family, theta), atol=1e-12, rtol=0)
    assert (after - before).abs().max() > 0.01


@pytest.mark.parametrize("learned", [True, False])
def test_derivatives_follow_a_change_of_the_weights(learned):
    family, changed = Wave(learned), Wave(learned)
    theta = theta_of(family)
    by_data(changed)
    figures = (stnkit.jacobian_determinant, stnkit.folds, stnkit.bending_energy, stnkit.families.jacobian)
    before = [figure(family, theta, SIZE) for figure in figures]
    by_data(family)
    for figure, old in zip(figures, before, strict=True):
        new = figure(family, theta, SIZE)
        torch.testing.assert_close(new, figure(changed, theta, SIZE))
        assert figure is stnkit.folds or not torch.equal(new, old)


def test_the_weights_of_a_part_count_too():
    family = Nested()
    theta = theta_of(family)
    family.grid(theta, SIZE)
    by_data(family.inner)
    torch.testing.assert_close(family.grid(theta, SIZE), by_forward(family, theta), atol=1e-12, rtol=0)


@pytest.mark.usefixtures("_chunks")
@pytest.mark.parametrize("map_of", [lambda f, t: f.grid(t, SIZE), by_forward], ids=["grid", "forward"])
def test_the_gradient_reaches_the_weights(map_of):
    family = Wave().double()
    theta = theta_of(family).requires_grad_()
    frequency = torch.tensor(1.3, dtype=torch.float64, requires_grad=True)

    def source(frequency, theta):
        module = Mapped(family, map_of)
        return torch.func.functional_call(module, {"family.frequency": frequency}, (theta,))

    assert torch.autograd.gradcheck(source, (frequency, theta), fast_mode=True, check_batched_grad=True)
    assert torch.autograd.gradgradcheck(source, (frequency, theta), fast_mode=True)
    map_of(family, theta).square().sum().backward()
    assert family.frequency.grad.abs() > 0.01


class Mapped(nn.Module):
    def __init__(self, family, map_of):
        super().__init__()
        self.family, self.map_of = family, map_of

    def forward(self, theta):
        return self.map_of(self.family, theta)


@pytest.mark.usefixtures("_chunks")
def test_weights_that_no_function_reads_have_no_gradient():
    family = Wave()
    family.unread = nn.Parameter(torch.ones(3))
    family.grid(theta_of(family), SIZE).sum().backward()
    assert family.unread.grad is None


def test_a_transformer_learns_the_weights():
    torch.manual_seed(0)
    family = Wave()
    transformer = stnkit.SpatialTransformer(
        stnkit.build("localizer", "fully_connected", in_shape=(1, 8, 8)), family, stnkit.build("sampler", "bilinear")
    )
    optimizer = torch.optim.Adam(transformer.parameters(), lr=0.1)
    images = torch.rand(4, 1, 8, 8)
    for _ in range(3):
        optimizer.zero_grad()
        transformer(images).square().mean().backward()
        optimizer.step()
    assert family.frequency.grad is not None
    assert family.frequency.item() != 1


def test_weights_that_are_nan_leave_a_grid_finite():
    family = Wave()
    with torch.no_grad():
        family.frequency.fill_(torch.nan)
    assert family.grid(theta_of(family), SIZE).isfinite().all()


@pytest.mark.no_jaxtyping
@pytest.mark.slow
def test_a_compiled_grid_follows_the_weights():
    family = Wave()
    theta = theta_of(family)
    torch.compiler.reset()
    grid = torch.compile(lambda theta: family.grid(theta, SIZE), fullgraph=True, backend="aot_eager")
    for _ in range(2):
        torch.testing.assert_close(grid(theta), by_forward(family, theta))
        by_data(family)


@pytest.mark.no_jaxtyping
@pytest.mark.slow
def test_an_exported_grid_has_the_weights_as_its_own():
    family = Wave()
    theta = theta_of(family)
    program = torch.export.export(Mapped(family, lambda f, t: f.grid(t, SIZE)), (theta,))
    for frequency in (program.state_dict["family.frequency"], family.frequency):
        frequency.data.fill_(1.5)
    torch.testing.assert_close(program.module()(theta), by_forward(family, theta))


@pytest.mark.no_jaxtyping
@pytest.mark.slow
@pytest.mark.parametrize("learned", [True, False])
def test_a_learned_basis_passes_the_checks(learned):
    checked = stnkit.testing.run(Wave, learned=learned, compile=True)
    assert checked.ok, str(checked)


def test_a_constant_basis_is_cached():
    family = stnkit.build("transform", "piecewise_affine", control_points=[3, 3])
    family.planar_grid(family.identity()[None], SIZE)
    assert len(family._lattice_basis._cache) == 1
    learned = Wave()
    learned.grid(theta_of(learned), SIZE)
    assert len(learned._lattice_basis._cache) == 0


class Normalized(Wave):
    """A basis behind a layer whose buffers each call updates."""

    def __init__(self):
        super().__init__()
        self.layer = nn.utils.parametrizations.spectral_norm(nn.Linear(2, 2, bias=False))

    def basis(self, points):
        return super().basis(self.layer(points.to(self.layer.weight.dtype)).to(points))


@pytest.mark.usefixtures("_chunks")
def test_buffers_that_change_in_each_call_do_not_stop_a_gradient():
    family = Normalized().train()
    theta = theta_of(family)
    family.grid(theta, SIZE)
    loss = family.grid(theta, SIZE).square().sum() + family.grid(theta, SIZE).sum()
    loss.backward()
    weight = family.layer.parametrizations.weight.original
    assert weight.grad.isfinite().all()
    assert (weight.grad != 0).any()
