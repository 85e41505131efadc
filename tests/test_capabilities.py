"""docs/capabilities.md says what works for which family, and this holds it to its word: a "yes" must work, and a
reason must still be one."""

import re
import warnings

import pytest
import torch
from torch import nn

import stnkit
from stnkit.plugin_system.registry import plugin_registry
from tests.exported_graphs import exported, network, unportable
from tests.helpers import ROOT, with_few_steps

PAGE = ROOT / "docs" / "capabilities.md"
SIZE = {2: (9, 12), 3: (5, 6, 7)}

pytestmark = pytest.mark.no_jaxtyping


class Warp(nn.Module):
    """image, θ ↦ sampler(image, family.grid(θ))."""

    def __init__(self, family):
        super().__init__()
        self.family = family
        self.sampler = stnkit.build("sampler", "bilinear")

    def forward(self, image, theta):
        return self.sampler(image, self.family.grid(theta, SIZE[self.family.ndim]))


def example(name, batch=3):
    family = stnkit.build("transform", with_few_steps(name))
    size = SIZE[family.ndim]
    theta = family.identity().float() + 0.05 * torch.randn(batch, family.n_params)
    return Warp(family), torch.rand(batch, 2, *size), theta


def compiles(name, backend="aot_eager"):
    warp, image, theta = example(name)
    theta.requires_grad_()
    expected = warp(image, theta)
    (gradient,) = torch.autograd.grad(expected.square().sum(), theta)
    torch.compiler.reset()
    compiled = torch.compile(example(name)[0], fullgraph=True, backend=backend)
    # Twice: a basis that was kept while tracing would break the second call.
    for _ in range(2):
        out = compiled(image, theta)
        torch.testing.assert_close(out, expected, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(torch.autograd.grad(out.square().sum(), theta)[0], gradient, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(warp(image, theta), expected)


def vmaps(name):
    warp, image, theta = example(name)
    mapped = torch.func.vmap(lambda t: warp(image[:1], t[None])[0])(theta)
    torch.testing.assert_close(mapped, warp(image[:1].expand_as(image), theta), atol=1e-5, rtol=1e-5)


def autocasts(name):
    for dtype in (torch.float16, torch.bfloat16):
        warp, image, theta = example(name)
        image = image.to(dtype)
        with torch.autocast("cpu", dtype):
            grid = warp.family.grid(theta, SIZE[warp.family.ndim])
            out = warp(image, theta)
        assert grid.dtype == torch.float32
        torch.testing.assert_close(grid, warp.family.grid(theta, SIZE[warp.family.ndim]), atol=1e-6, rtol=1e-6)
        assert out.dtype == dtype
        torch.testing.assert_close(out.float(), warp(image.float(), theta), atol=2**-8, rtol=2**-8)


def exports(name):
    warp, image, theta = example(name)
    program = torch.export.export(warp, (image, theta))
    fresh = example(name)[2]
    torch.testing.assert_close(program.module()(image, fresh), warp(image, fresh), atol=1e-5, rtol=1e-5)


def onnx_runs(name, tmp_path):
    import onnxruntime

    size, path = SIZE[2], tmp_path / "network.onnx"
    model = network(with_few_steps(name), size=size)
    graph = exported(model, (torch.rand(3, 2, *size),), path, input_names=["image"])
    assert unportable(graph) == []
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    image = torch.rand(3, 2, *size)
    (out,) = session.run(None, {"image": image.numpy()})
    torch.testing.assert_close(torch.from_numpy(out), model(image), atol=1e-4, rtol=1e-4)


CHECKS = {
    "torch.compile": compiles,
    "vmap over θ": vmaps,
    "autocast": autocasts,
    "torch.export": exports,
    "ONNX": onnx_runs,
}


def table():
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in PAGE.read_text().splitlines()
        if line.startswith("|")
    ]
    header, _, *body = rows
    return {(row[0], column): cell for row in body for column, cell in zip(header[1:], row[1:], strict=True)}


TABLE = table()


def test_the_table_has_a_cell_for_every_family_and_capability():
    families = {
        e.name for e in plugin_registry().registered if e.kind == "transform" and e.source.distribution == "stnkit"
    }
    assert set(TABLE) == {(family, check) for family in families for check in CHECKS}


def cases():
    """Every cell of the table; those that compile or export are slow."""
    for cell in TABLE:
        slow = [pytest.mark.slow] if cell[1] in ("torch.compile", "torch.export", "ONNX") else []
        yield pytest.param(cell, id="-".join(cell), marks=slow)


@pytest.mark.parametrize("cell", [*cases()])
def test_what_the_table_says_is_so(cell, tmp_path):
    family, check = cell
    arguments = (tmp_path,) if check == "ONNX" else ()
    if TABLE[cell] == "yes":
        CHECKS[check](family, *arguments)
    else:
        assert re.fullmatch(r"no: \S.{15,}", TABLE[cell]), "a reason is a sentence"
        with pytest.raises(Exception):  # noqa: B017, PT011 any failure will do
            CHECKS[check](family, *arguments)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["affine", "projective", "tps", "piecewise_affine", "bspline"])
@pytest.mark.process
def test_the_default_backend_compiles_it_too(family):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # inductor's own use of torch.jit
        compiles(family, backend="inductor")
