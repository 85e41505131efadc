"""`make_fx` and fake tensors take the composite of every family, with symbols for sizes and values too."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.experimental.symbolic_shapes import ShapeEnv

import stnkit
from stnkit.families.regularity import jacobian
from stnkit.families.tracing import has_tracer
from stnkit.plugin_system.registry import plugin_registry
from tests.helpers import random_theta, with_few_steps

pytestmark = pytest.mark.no_jaxtyping
FAMILIES = plugin_registry().names("transform")
# Of no size that anything else has: `make_fx` takes equal sizes for one symbol.
BATCH = 7


def warp_by(name):
    """A warp of θ and an image, and both."""
    family, sampler = stnkit.build("transform", with_few_steps(name)), stnkit.build("sampler", "bilinear")
    theta = (family.identity() + random_theta(family, batch=BATCH, scale=0.05)).float()
    return lambda theta, image: stnkit.warp(family, theta, image, sampler), theta, torch.rand(BATCH, 2, 9, 13)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["real", "fake", "symbolic"])
@pytest.mark.parametrize("family", FAMILIES)
def test_make_fx_follows_a_warp(family, mode):
    warp, theta, image = warp_by(family)
    # Families have constants of their own, which are not fake.
    program = make_fx(warp, tracing_mode=mode, _allow_non_fake_inputs=True)(theta, image)
    n = 5 if mode == "symbolic" else BATCH
    theta, image = theta.flip(0)[:n], torch.rand_like(image)[:n]
    torch.testing.assert_close(program(theta, image), warp(theta, image), atol=1e-5, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["affine", "cpab", "tps"])
def test_make_fx_follows_a_warp_before_autograd(family):
    warp, theta, image = warp_by(family)
    program = make_fx(warp, pre_dispatch=True)(theta, image)
    torch.testing.assert_close(program(theta, -image), warp(theta, -image), atol=1e-5, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["fake", "symbolic"])
@pytest.mark.parametrize("family", ["affine", "projective", "homography4"])
def test_make_fx_needs_no_option_for_fake_tensors(family, mode):
    warp, theta, image = warp_by(family)
    program = make_fx(warp, tracing_mode=mode)(theta, image)
    torch.testing.assert_close(program(theta, image), warp(theta, image), atol=1e-5, rtol=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_values_of_fake_tensors_may_be_symbols(family):
    warp, theta, image = warp_by(family)
    with FakeTensorMode(shape_env=ShapeEnv(), allow_non_fake_inputs=True):
        assert warp(torch.rand_like(theta), torch.rand_like(image)).shape == image.shape
    assert type(warp(theta, image)) is torch.Tensor


@pytest.mark.parametrize("mode", ["real", "fake", "symbolic"])
def test_a_recorded_flow_is_one_operator(mode):
    family = stnkit.build("transform", "cpab")
    theta = random_theta(family, batch=BATCH, dtype=torch.float32)
    program = make_fx(lambda theta: family.grid(theta, (5, 6)), tracing_mode=mode, _allow_non_fake_inputs=True)(theta)
    flows = [node for node in program.graph.nodes if "stnkit.flow" in str(node.target)]
    assert len(flows) == 1
    torch.testing.assert_close(program(-theta), family.grid(-theta, (5, 6)), atol=1e-5, rtol=0)


def test_a_tracer_of_real_tensors_is_one():
    seen = []
    make_fx(lambda x: [seen.append(has_tracer()), x + 1][1])(torch.ones(2))
    assert seen == [True]
    assert not has_tracer()


# The others compute their constants from values.
@pytest.mark.parametrize(
    "family", sorted({*FAMILIES} - {"bounded", "bspline", "compose", "cpab", "piecewise_affine", "tps"})
)
def test_a_transformer_is_built_of_fake_tensors(family):
    with FakeTensorMode(allow_non_fake_inputs=True):
        made = stnkit.SpatialTransformer(
            localizer=stnkit.build("localizer", "fully_connected", in_shape=(1, 9, 13)),
            family=stnkit.build("transform", with_few_steps(family)),
            sampler=stnkit.build("sampler", "bilinear"),
        )
        assert made(torch.zeros(BATCH, 1, 9, 13)).shape == (BATCH, 1, 9, 13)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["affine", "projective", "bspline"])
def test_a_traced_jacobian_takes_another_batch(family):
    family = stnkit.build("transform", family)
    theta = random_theta(family, batch=BATCH)
    program = make_fx(
        lambda theta: jacobian(family, theta, (5, 6)), tracing_mode="symbolic", _allow_non_fake_inputs=True
    )(theta)
    torch.testing.assert_close(program(theta[:3]), jacobian(family, theta[:3], (5, 6)))
