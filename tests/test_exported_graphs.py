"""Exported programs hold only what other runtimes have, and compute what eager mode does."""

import functools
import warnings

import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

import stnkit
from stnkit import portable
from stnkit.plugin_system.registry import plugin_registry
from tests.exported_graphs import exported, network, unportable

pytestmark = [
    pytest.mark.no_jaxtyping,
    pytest.mark.filterwarnings("ignore:the nearest sampler has zero gradient"),
]

FAMILIES = plugin_registry().names("transform")
PADDINGS = [padding.value for padding in stnkit.samplers.Padding]
KERNELS = ["antialiased", "area", "bspline", "gaussian", "lanczos"]
SPECIAL = torch.tensor([torch.nan, torch.inf, -torch.inf, 1e30, -1e30, 0.25, -0.5])


class Function(nn.Module):
    """A function as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *arguments):
        return self.function(*arguments)


class Samplers(nn.Module):
    """image ↦ what each sampler reads at one moved grid."""

    def __init__(self, samplers):
        super().__init__()
        self.samplers = nn.ModuleList(samplers)
        self.family = stnkit.build("transform", "affine")

    def forward(self, image, theta):
        grid = self.family.grid(theta, (7, 8))
        return torch.cat([sampler(image, grid) for sampler in self.samplers], dim=1)


def traced(model, *arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # sizes become constants, and torch.jit is deprecated
        return torch.jit.trace(model, arguments, check_trace=False)  # which takes seconds


def program_of(model, *arguments):
    return torch.export.export(model, arguments, strict=False)


def operators(program):
    return {node.target.__name__ for node in program.graph.nodes if node.op == "call_function"}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_network_without_a_size_is_traced_by_torch_jit(family):
    model = network(family)
    program = traced(model, torch.rand(1, 2, 9, 12))
    image = torch.rand(1, 2, 9, 12)
    torch.testing.assert_close(program(image), model(image), atol=1e-5, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("padding", PADDINGS)
def test_samplers_with_any_padding_are_portable(padding, tmp_path):
    import onnxruntime

    names = ["bilinear", "bicubic", "nearest", "multisample"]
    if padding in ("zeros", "border"):
        names += KERNELS
    model = Samplers([stnkit.build("sampler", name, padding=padding) for name in names])
    image, theta = torch.rand(1, 1, 9, 12), torch.tensor([[1.1, 0.2, 0.3, -0.1, 1.3, 0.1]])
    graph = exported(model, (image, theta), tmp_path / "samplers.onnx", input_names=["image", "theta"])
    assert unportable(graph) == []
    session = onnxruntime.InferenceSession(tmp_path / "samplers.onnx", providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"image": image.numpy(), "theta": theta.numpy()})
    torch.testing.assert_close(torch.from_numpy(found), model(image, theta), atol=1e-4, rtol=0)


@pytest.mark.parametrize("to", [TensorProto.DOUBLE, TensorProto.FLOAT16])
@pytest.mark.parametrize("reshaped", [False, True])
def test_a_bias_that_openvino_loses_is_found(to, reshaped):
    nodes = [
        helper.make_node("Gemm", ["x", "w", "b"], ["linear"]),
        helper.make_node("Cast", ["linear"], ["cast"], to=to),
    ]
    nodes += [helper.make_node("Reshape", ["cast", "shape"], ["view"])] * reshaped
    nodes += [helper.make_node("Sub", ["view" if reshaped else "cast", "constant"], ["y"])]
    constant = helper.make_tensor("constant", to, [1], [1.0])
    graph = helper.make_graph(nodes, "graph", [], [], [constant])
    assert unportable(graph) == ["Gemm → Cast → Sub"]
    del nodes[1:-1]
    nodes[-1].input[0] = "linear"
    assert unportable(helper.make_graph(nodes, "graph", [], [], [constant])) == []


@pytest.mark.parametrize(
    "function",
    [
        functools.partial(portable.finite, bound=100.0),
        functools.partial(portable.clamped, low=-1.0, high=2.0, lost=-1.0),
        functools.partial(portable.clamped, low=-1.0, high=2.0, lost=2.0),
    ],
)
def test_exported_bounds_are_comparisons_with_the_same_values(function):
    program = program_of(Function(function), SPECIAL)
    torch.testing.assert_close(program.module()(SPECIAL), function(SPECIAL), atol=0, rtol=0)
    assert not any(name.startswith(("nan_to_num", "isnan", "isinf")) for name in operators(program))


def test_a_traced_choice_is_the_eager_one_without_a_comparison():
    margin, within = torch.tensor([1e-6, 1.0, 1e4, -1e-6, 0.0, -1e4]), torch.randn(6)
    program = traced(Function(functools.partial(portable.chosen, beyond=7.0)), torch.ones(6), torch.zeros(6))
    torch.testing.assert_close(program(margin, within), portable.chosen(margin, within, 7.0), atol=0, rtol=0)
    assert not {"aten::gt", "aten::where"} & {node.kind() for node in program.inlined_graph.nodes()}


def test_traced_projective_maps_end_at_the_horizon():
    family, theta = stnkit.build("transform", "projective"), torch.tensor([[1.0, 0, 0.3, 0, 1, 0.2, -2, 0]])
    grid = Function(lambda theta: family.grid(theta, (4, 8)))
    program = traced(grid, family.identity()[None].float())
    torch.testing.assert_close(program(theta), grid(theta), atol=1e-3, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["compose", "cpab", "homography4"])
def test_a_traced_family_has_no_operation_that_ncnn_lacks(family):
    made = stnkit.build("transform", family)
    program = traced(Function(lambda theta: made.grid(theta, (4, 6))), made.identity()[None].float() + 0.01)
    made_of = {node.kind() for node in program.inlined_graph.nodes()}
    assert "aten::mul" in made_of
    assert not {"aten::lt", "aten::gt", "aten::where", "aten::index_select"} & made_of


def test_a_traced_quadrilateral_has_one_dtype():
    made = stnkit.build("transform", "homography4")
    program = traced(Function(lambda theta: made.grid(theta, (4, 6))), torch.zeros(1, 8))
    assert "Float(1, 4, 6, 2" in str(program.inlined_graph)
    assert "Double(1" not in str(program.inlined_graph)  # a scalar is no array


def test_a_traced_quadrilateral_may_be_mirrored_or_flat():
    family = stnkit.build("transform", "homography4")
    moved = torch.tensor([[0.3, 0.1, -0.2, 0.4], [1.9, -2.2, 2.1, -1.8], [0.9, -0.9, 1.0, -1.0]])
    theta = torch.cat([moved, torch.zeros(3, 4)], dim=1)
    grid = Function(lambda theta: family.grid(theta, (4, 6)))
    program = traced(grid, family.identity()[None].float())
    for row in theta.split(1):
        torch.testing.assert_close(program(row), grid(row), atol=1e-3, rtol=1e-5)
    flat = torch.tensor([[1.0, -1, 1, -1, 0, 0, 0, 0]])
    assert (grid(flat).abs() > 1).any(dim=-1).all()
    assert (program(flat).abs() > 1).any(dim=-1).all()


def test_a_traced_composition_keeps_lost_points_lost():
    stages = [{"name": "scale"}, {"name": "projective"}]
    family = stnkit.build("transform", "compose", stages=stages)
    horizon = family.identity()[None].float()
    horizon[:, -2] = 1.5  # beyond it points have no source
    horizon[:, 0] = -2.0
    grid = Function(lambda theta: family.grid(theta, (4, 8)))
    program = traced(grid, family.identity()[None].float())
    expected = grid(horizon)
    assert (expected.abs() > 100).any()
    torch.testing.assert_close(program(horizon), expected, atol=1e-3, rtol=1e-5)


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_piece_of_a_point_is_exported_without_a_sort(ndim):
    family = stnkit.build("transform", "piecewise_affine", ndim=ndim)
    points = torch.rand(1, 200, ndim, dtype=torch.float64) * 2.4 - 1.2
    points[0, :50] = points[0, :50, :1]  # on the diagonals, between two pieces
    theta = family.identity()[None] + 0.2 * torch.randn(2, family.n_params, dtype=torch.float64)
    program = program_of(Function(family), theta, points)
    torch.testing.assert_close(program.module()(theta, points), family(theta, points), atol=1e-12, rtol=0)
    assert not any("sort" in name for name in operators(program))


@pytest.mark.slow
@pytest.mark.parametrize("family", ["tps", "piecewise_affine"])
def test_a_basis_of_a_known_size_is_a_constant(family):
    model, image = network(family), torch.rand(2, 2, 9, 12)
    program = program_of(model, image)
    torch.testing.assert_close(program.module()(image), model(image), atol=1e-5, rtol=0)
    assert not any(name.startswith(("log", "scatter", "sort", "floor")) for name in operators(program))


def test_an_exported_multisample_reads_one_sample():
    model = network("affine", "multisample")
    program = program_of(model, torch.rand(2, 2, 9, 12))
    names = [node.target.__name__ for node in program.graph.nodes if node.op == "call_function"]
    assert sum(name.startswith("grid_sampler") for name in names) == 1


@pytest.mark.slow
@pytest.mark.parametrize("family", ["affine", "projective"])
def test_an_exported_recurrent_transformer_is_equal(family):
    model, image = network(family, recurrent=2), torch.rand(3, 2, 9, 12)
    torch.testing.assert_close(program_of(model, image).module()(image), model(image), atol=1e-5, rtol=0)


@pytest.mark.parametrize("family", ["compose", "euclidean", "similarity"])
def test_parts_of_theta_are_exported_as_slices(family):
    model, image = network(family), torch.rand(3, 2, 9, 12)
    program = program_of(model, image)
    torch.testing.assert_close(program.module()(image), model(image), atol=1e-5, rtol=0)
    assert not any(name.startswith("split") for name in operators(program))
