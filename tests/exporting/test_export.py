"""`stnkit.export`: the other formats, refusals, and no file where the comparison fails."""

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import stnkit
from stnkit.errors import ExportError, InputError, NotInstalledError
from stnkit.exporting import export as exporting
from stnkit.exporting.formats import format_of
from tests.exporting.networks import images, network, transformer

pytestmark = pytest.mark.no_jaxtyping


class Plain(nn.Module):
    """A network without a transformer, whose output is a function of the image."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, image):
        return self.function(image)


@pytest.mark.slow
def test_a_torch_program_runs_at_any_batch(tmp_path):
    model = network("tps")
    said = stnkit.export(model, images(), tmp_path / "network.pt2", to="torch", warped=True)
    program = torch.export.load(tmp_path / "network.pt2").module()
    for batch in (1, 4):
        found = program(images(batch, seed=2))
        assert list(found) == ["logits", "warped"]
        torch.testing.assert_close(found["logits"], model(images(batch, seed=2)).detach(), atol=1e-5, rtol=1e-5)
    assert (said.opset, said.differences.keys()) == (None, {"logits", "warped"})


@pytest.mark.parametrize(
    ("name", "to", "expected"),
    [
        ("a.onnx", None, "onnx"),
        ("a.pt2", None, "torch"),
        ("a.PT2", None, "torch"),
        ("a", None, "onnx"),
        ("a.pt2", "aoti", "aoti"),
        ("a.pt2", "torch", "torch"),
        ("a.so", "aoti", "aoti"),
        ("a.bin", "torch", "torch"),
    ],
)
def test_the_suffix_chooses_where_no_format_is_given(name, to, expected):
    assert format_of(Path(name), to) == expected


@pytest.mark.slow
def test_a_file_of_the_suffix_pt2_is_a_torch_program(tmp_path):
    said = stnkit.export(transformer("affine"), images(), tmp_path / "transformer.pt2")
    assert said.format == "torch"
    assert torch.export.load(tmp_path / "transformer.pt2").module()(images(2))["warped"].shape[0] == 2


@pytest.mark.slow
def test_a_torch_program_holds_no_image_and_its_metadata(tmp_path):
    stnkit.export(network(), images(), tmp_path / "network.pt2", to="torch", metadata={"classes": ["cat"]})
    extra = {"stnkit.classes": ""}
    program = torch.export.load(tmp_path / "network.pt2", extra_files=extra)
    assert extra["stnkit.classes"] == '["cat"]'
    (example,) = program.example_inputs[0]
    assert not example.any()


def flowed(image):
    """An output of an operator that only stnkit has."""
    return torch.ops.stnkit.flow(image.new_zeros(image.shape[0], 12, 6), image[:, 0, :, :2], 1, 1)


@pytest.mark.slow
def test_a_program_that_needs_stnkit_says_so(tmp_path):
    said = stnkit.export(Plain(flowed), images(), tmp_path / "flow.pt2", to="torch")
    assert "the file calls stnkit::flow: stnkit must be imported there" in said.notes


@pytest.mark.slow
def test_an_operator_without_onnx_is_named(tmp_path):
    with pytest.raises(ExportError, match="Plain cannot be written as ONNX, which has no operator stnkit::flow"):
        stnkit.export(Plain(flowed), images(), tmp_path / "flow.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("transform", ["cpab", "velocity"])
def test_a_program_of_a_flow_runs_without_stnkit(transform, tmp_path):
    said = stnkit.export(transformer(transform), images(), tmp_path / "flow.pt2", to="torch")
    assert not any("stnkit" in note for note in said.notes)
    assert said.differences["warped"] < 1e-4


@pytest.mark.process
@pytest.mark.slow
def test_a_compiled_library_runs_at_any_batch(tmp_path):
    model = transformer("rotation")
    said = stnkit.export(model, images(), tmp_path / "transformer.so", to="aoti", theta=True)
    package = torch._inductor.aoti_load_package(str((tmp_path / "transformer.so").rename(tmp_path / "t.pt2")))
    found = package(images(4, seed=2))
    torch.testing.assert_close(found["warped"], model(images(4, seed=2)).detach(), atol=1e-5, rtol=0)
    assert said.outputs == {"warped": images().shape[1:], "theta": (1,)}
    assert package.get_metadata()["stnkit.input"].startswith('{"name": "image"')


@pytest.mark.slow
def test_a_file_of_something_else_is_refused_and_removed(tmp_path, monkeypatch):
    model, other = network(), network()
    with torch.no_grad():
        other.at_input.head.weight.mul_(1.01)
    program = exporting.exported_program

    def mistaken(wrapped, example):
        wrapped.module = other
        return program(wrapped, example)

    monkeypatch.setattr(exporting, "exported_program", mistaken)
    with pytest.raises(ExportError, match=r"^expected outputs .* within 0.0001 of the network's, got \w+ with a diff"):
        stnkit.export(model, images(), tmp_path / "network.pt2", to="torch", reference=True)
    assert not list(tmp_path.iterdir())
    stnkit.export(model, images(), tmp_path / "network.pt2", to="torch", tolerance=10.0)


@pytest.mark.slow
def test_a_tolerance_of_0_allows_no_difference(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(exporting, "prove", lambda *given: asked.append(given[-1]) or {})
    for tolerance in (0, None):
        stnkit.export(transformer("affine"), images(), tmp_path / f"{tolerance}.pt2", tolerance=tolerance)
    assert asked == [0, 1e-4]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"to": "tflite"}, "expected one of the formats onnx, torch, aoti, got 'tflite'"),
        ({"path": "a.pt2", "to": "onnx"}, r"a\.pt2: expected another suffix for the format onnx, got that of torch"),
        ({"to": "aoti"}, r"network\.onnx: expected another suffix for the format aoti, got that of onnx"),
        ({"path": "a.pt2", "opset": 18}, "opset: expected none, since the format torch has no opset, got 18"),
        (
            {"path": "network", "to": "torch", "opset": 18},
            "opset: expected none, since the format torch has no opset, got 18",
        ),
        ({"opset": 15}, r"expected an opset from 16 to \d+, got 15"),
        ({"opset": 99}, r"expected an opset from 16 to \d+, got 99"),
        ({"opset": 17.5}, r"opset: expected a whole number, got 17\.5"),
        ({"module": "network"}, "module: expected a module of torch, got str"),
        (
            {"output": "theta"},
            "output: expected a name that the input and θ and warped images do not have, got 'theta'",
        ),
        ({"output": "image"}, "output: expected a name that .* do not have, got 'image'"),
        ({"metadata": {"input": 1}}, "metadata: expected names that stnkit does not write itself, got 'input'"),
        ({"path": "nowhere/network.onnx"}, r"nowhere/network.onnx: expected a file in a folder that exists, got "),
        ({"path": "."}, "expected the name of a new file, got one that exists"),
        ({"images": images().double()}, r"expected images \(B, C, \*size\) in float32, at least one, got .* float64"),
        ({"images": images(0)}, r"at least one, got \[0, 1, 20, 24\] in float32"),
        (
            {"module": Plain(torch.sin), "theta": True},
            "expected a network with a transformer for the output theta, got",
        ),
        ({"module": Plain(lambda image: (image, image))}, "expected a module that gives a tensor, got tuple"),
    ],
)
def test_what_cannot_be_exported_is_one_sentence(options, message, tmp_path):
    path = tmp_path / options.pop("path", "network.onnx")
    given = {"module": network(), "images": images()} | options
    with pytest.raises(InputError, match=message) as raised:
        stnkit.export(path=path, **given)
    assert "\n" not in str(raised.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": 5}, "path: expected a path, got int"),
        ({"images": None}, "images: expected a tensor, got NoneType"),
        ({"to": ["onnx"]}, r"expected one of the formats onnx, torch, aoti, got \['onnx'\]"),
        ({"output": 5}, "output: expected a name, got 5"),
        ({"tolerance": "x"}, "tolerance: expected a number of at least 0, got 'x'"),
        ({"metadata": object()}, "metadata: expected a mapping of names to values, got object"),
        ({"metadata": {"a": object()}}, "metadata: expected values of JSON, got others: Object of type object"),
    ],
)
def test_an_argument_of_another_type_is_one_sentence(options, message, tmp_path):
    given = {"module": network(), "images": images(), "path": tmp_path / "network.onnx"} | options
    with pytest.raises(InputError, match=message):
        stnkit.export(**given)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_volumes_need_opset_20(tmp_path):
    shape = (1, 6, 7, 8)
    with pytest.raises(InputError, match=r"expected an opset from 20 to \d+, got 18"):
        stnkit.export(transformer(shape=shape, ndim=3), images(2, shape), tmp_path / "volume.onnx", opset=18)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda image: image / 0, "expected finite outputs of the network, got NaN or infinity in logits"),
        (lambda image: image if image.mean().item() > 0.5 else -image, "Plain cannot be traced by torch.export: "),
        (lambda image: image.reshape(len(image), -1), "by torch.export: its code takes the batch for a constant"),
    ],
)
def test_a_network_that_cannot_be_traced_is_one_sentence(function, message, tmp_path, capfd):
    with pytest.raises(ExportError, match=message) as raised:
        stnkit.export(Plain(function), images(), tmp_path / "network.onnx")
    assert "\n" not in str(raised.value)
    assert not list(tmp_path.iterdir())
    assert capfd.readouterr() == ("", "")


class Two(nn.Module):
    def forward(self, image, other):
        return image + other


class Uncopied(nn.Module):
    def __deepcopy__(self, memo):
        raise TypeError("no copy\nof this")


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Two(), r"^Two cannot be run on the images: TypeError: .* missing 1 required positional argument: 'other'$"),
        (nn.Conv2d(2, 1, 1), r"^Conv2d cannot be run on the images: RuntimeError: .* 1 channels instead$"),
        (nn.Conv2d(1, 1, 1).double(), r"^Conv2d cannot be run on the images: RuntimeError: .* type "),
        (Plain(lambda image: image.bfloat16()), "^the outputs of Plain cannot be read by NumPy: .* BFloat16$"),
        (Uncopied(), "^Uncopied cannot be copied: TypeError: no copy of this$"),
    ],
)
def test_a_network_that_does_not_run_is_one_sentence(module, message, tmp_path):
    with pytest.raises(ExportError, match=message):
        stnkit.export(module, images(), tmp_path / "network.pt2")
    assert not list(tmp_path.iterdir())


def test_a_library_that_is_missing_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(NotInstalledError, match=r"^onnxruntime is not installed: pip install 'stnkit\[export\]'$"):
        stnkit.export(network(), images(), tmp_path / "network.onnx")
