"""The native warp under torch.compile, torch.export and vmap."""

import warnings

import pytest
import torch
from torch.autograd import forward_ad

import stnkit
from stnkit.native import library
from tests.native.cases import affine, bilinear, composite, grid_of, image_of, needs_library, theta_of

# The warnings come from torch's first forward-mode derivative and from its exporters.
pytestmark = [needs_library, pytest.mark.no_jaxtyping, pytest.mark.filterwarnings("ignore:`torch.jit")]
OPTIONS = 3, 5, 2, -0.75, "zeros", [0.0]


def coordinates_of(kind):
    return theta_of(affine(), 2).view(2, 2, 3) if kind == "rows" else grid_of(2, 3, 5)


@pytest.mark.slow
@pytest.mark.parametrize("form", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("kind", ["rows", "grid"])
def test_the_operators_pass_opcheck(kind, form):
    image, coordinates = image_of(2, 3, 5, 6).to(memory_format=form), coordinates_of(kind)
    for needed in (False, True):
        inputs = image.clone().requires_grad_(needed), coordinates.clone().requires_grad_(needed)
        torch.library.opcheck(torch.ops.stnkit.warp, (*inputs, *OPTIONS))
    gradient = image_of(2, 3, 3, 5)
    for wanted in ((True, True), (True, False), (False, True)):
        torch.library.opcheck(torch.ops.stnkit.warp_backward, (gradient, image, coordinates, *wanted, *OPTIONS))


@pytest.mark.parametrize("kind", ["rows", "grid"])
def test_vmap_of_the_operator_is_a_loop(kind):
    images, coordinates = image_of(4, 2, 3, 5, 6), coordinates_of(kind)
    out = torch.vmap(lambda image: torch.ops.stnkit.warp(image, coordinates, *OPTIONS))(images)
    assert torch.equal(out, torch.stack([torch.ops.stnkit.warp(image, coordinates, *OPTIONS) for image in images]))

    def gradients(image, gradient):
        return torch.ops.stnkit.warp_backward(gradient, image, coordinates, True, True, *OPTIONS)

    given = image_of(4, 2, 3, 3, 5)
    for together, one in zip(torch.vmap(gradients)(images, given), gradients(images[1], given[1]), strict=True):
        assert torch.allclose(together[1], one, atol=1e-6)


def test_forward_mode_through_the_operator_is_refused():
    image, rows = image_of(2, 1, 4, 4), coordinates_of("rows")
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(rows, torch.ones_like(rows))
        with pytest.raises(NotImplementedError, match="forward-mode AD"):
            torch.ops.stnkit.warp(image, dual, *OPTIONS)
    with pytest.raises((NotImplementedError, RuntimeError)):
        torch.func.jvp(lambda r: torch.ops.stnkit.warp(image, r, *OPTIONS), (rows,), (torch.ones_like(rows),))


def test_a_second_derivative_of_the_operator_is_refused():
    image, rows = image_of(2, 1, 4, 4).requires_grad_(), coordinates_of("rows").requires_grad_()
    out = torch.ops.stnkit.warp(image, rows, *OPTIONS)
    (gradient,) = torch.autograd.grad(out.square().sum(), rows, create_graph=True)
    with pytest.raises(NotImplementedError, match="second"):
        gradient.sum().backward()


class Recorder:
    """A backend that records the operators of each graph."""

    def __init__(self):
        self.native = []

    def __call__(self, graph, inputs):
        self.native.append("stnkit.warp" in graph.print_readable(print_output=False))
        return graph


@pytest.fixture
def recorder():
    torch.compiler.reset()
    return Recorder()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["affine", "projective", "tps"])
def test_a_compiled_warp_is_one_graph_with_the_operator(recorder, name):
    family, sampler = stnkit.build("transform", name), bilinear(padding="fill", fill_value=0.5)
    compiled = torch.compile(lambda t, x: stnkit.warp(family, t, x, sampler), fullgraph=True, backend=recorder)
    theta, image = theta_of(family, 2), image_of(2, 3, 5, 6)
    assert torch.allclose(compiled(theta, image), stnkit.warp(family, theta, image, sampler), atol=1e-6)
    assert recorder.native == [True]
    with stnkit.native.disabled():
        compiled(theta, image)
    assert recorder.native == [True, False]
    compiled(theta, image)
    assert recorder.native in ([True, False], [True, False, True])


@pytest.mark.slow
def test_a_warp_compiled_on_a_default_cpu_is_native(recorder):
    family, sampler = affine(), bilinear()
    compiled = torch.compile(lambda t, x: stnkit.warp(family, t, x, sampler), fullgraph=True, backend=recorder)
    with torch.device("cpu"):
        compiled(theta_of(family, 2), image_of(2, 3, 5, 6))
    assert recorder.native == [True]


@pytest.mark.slow
@pytest.mark.parametrize("dynamic", [False, True])
def test_compiled_gradients_are_the_eager_ones(dynamic):
    torch.compiler.reset()
    family, sampler = affine(), bilinear()
    compiled = torch.compile(
        lambda t, x: stnkit.warp(family, t, x, sampler), fullgraph=True, backend="aot_eager", dynamic=dynamic
    )
    for size in ((5, 6), (7, 4)):
        theta, image = theta_of(family, 2).requires_grad_(), image_of(2, 3, *size).requires_grad_()
        results = []
        for warp in (compiled, lambda t, x: stnkit.warp(family, t, x, sampler)):
            out = warp(theta, image)
            results.append((out, *torch.autograd.grad(out.square().sum(), (theta, image))))
        for ours, theirs in zip(*results, strict=True):
            assert torch.allclose(ours, theirs, atol=1e-5)


@pytest.mark.slow
def test_transforms_inside_of_a_compiled_function_are_right():
    torch.compiler.reset()
    family, sampler, image = affine(), bilinear(), image_of(2, 1, 5, 6)

    def gradient(theta):
        return torch.func.grad(lambda t: stnkit.warp(family, t, image, sampler).square().sum())(theta)

    theta = theta_of(family, 2)
    compiled = torch.compile(gradient, fullgraph=True, backend="aot_eager")
    assert torch.allclose(compiled(theta), gradient(theta), atol=1e-4)


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.family, self.sampler = affine(), bilinear()

    def forward(self, theta, image):
        return stnkit.warp(self.family, theta, image, self.sampler)


@pytest.mark.slow
@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("required", [False, True])
def test_an_export_holds_the_operator_only_if_required(strict, required, monkeypatch):
    monkeypatch.setattr(library, "_status", library.Status(True, required=required))
    inputs = theta_of(affine(), 2), image_of(2, 1, 5, 6)
    program = torch.export.export(Model(), inputs, strict=strict)
    assert ("stnkit.warp" in str(program.graph)) == required
    assert torch.allclose(program.module()(*inputs), composite(Model(), *inputs), atol=1e-5)


@pytest.mark.slow
def test_onnx_and_jit_hold_torchs_operations(monkeypatch):
    monkeypatch.setattr(library, "_status", library.Status(True, required=True))
    inputs = theta_of(affine(), 2), image_of(2, 1, 5, 6)
    with warnings.catch_warnings(action="ignore"):  # of the tracer and the exporter, about torch's own code
        traced = torch.jit.trace(Model(), inputs, check_trace=False)
        program = torch.onnx.export(Model().eval(), inputs, dynamo=True, verbose=False)
    assert "stnkit::" not in str(traced.graph)
    assert {node.domain for node in program.model.graph} <= {"", "pkg.onnxscript.torch_lib"}
