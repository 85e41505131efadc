"""ONNX files of networks and transformers: equal to eager PyTorch, in batches of any size."""

import numpy as np
import onnx
import pytest
import torch

import stnkit
from stnkit.exporting.formats.onnx import expose
from tests.exporting.networks import SHAPE, images, metadata_of, network, outputs_of, transformer

pytestmark = [pytest.mark.no_jaxtyping, pytest.mark.slow]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A network, its file with θ and a reference, and what `export` said about it."""
    model = network()
    path = tmp_path_factory.mktemp("onnx") / "network.onnx"
    said = stnkit.export(
        model, images(), path, theta=True, reference=True, metadata={"classes": ["a", "b", "c", "d", "e"]}
    )
    return model, path, said


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_batches_of_any_size_give_the_eager_outputs(exported, batch):
    model, path, _ = exported
    fresh = images(batch, seed=2)
    found = outputs_of(path, fresh)
    assert list(found) == ["logits", "theta"]
    with torch.no_grad():
        torch.testing.assert_close(found["logits"], model(fresh), atol=1e-4, rtol=0)
        torch.testing.assert_close(found["theta"], model.at_input.localize(fresh), atol=1e-4, rtol=0)


def test_the_hidden_warped_image_can_be_exposed(exported, tmp_path):
    model, path, _ = exported
    expose(path, ["warped"], tmp_path / "copy.onnx")
    fresh = images(3, seed=3)
    found = outputs_of(tmp_path / "copy.onnx", fresh)
    assert list(found) == ["logits", "theta", "warped"]
    with torch.no_grad():
        torch.testing.assert_close(found["warped"], model.at_input(fresh), atol=1e-4, rtol=0)


def test_the_metadata_say_what_goes_in_and_out(exported):
    _, path, _ = exported
    assert metadata_of(path) == {
        "stnkit.version": stnkit.__version__,
        "stnkit.input": {"name": "image", "shape": list(SHAPE), "dtype": "float32"},
        "stnkit.outputs": {"logits": [5], "theta": [6]},
        "stnkit.hidden": ["warped"],
        "stnkit.classes": ["a", "b", "c", "d", "e"],
    }
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert (model.producer_name, model.producer_version) == ("stnkit", stnkit.__version__)
    (image,) = model.graph.input
    assert [d.dim_param or d.dim_value for d in image.type.tensor_type.shape.dim] == ["batch", *SHAPE]


def test_the_file_tells_nothing_of_the_machine(exported):
    _, path, _ = exported
    content = path.read_bytes()
    assert b".py" not in content
    assert b"stack_trace" not in content


def test_the_differences_are_named_by_output(exported):
    _, _, said = exported
    assert said.differences.keys() == {"logits", "theta", "warped"}
    assert max(said.differences.values()) < 1e-4
    assert (said.opset, said.outputs) == (18, {"logits": (5,), "theta": (6,)})
    assert said.runtime.startswith("onnxruntime ")
    assert "OpenVINO computes in bfloat16" in said.notes[0]


def test_the_reference_has_images_and_eager_outputs(exported):
    model, path, _ = exported
    with np.load(f"{path}.reference.npz") as arrays:
        reference = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
    assert reference.keys() == {"image", "logits", "warped", "theta"}
    assert torch.equal(reference["image"], images())
    with torch.no_grad():
        torch.testing.assert_close(reference["logits"], model(images()))
        torch.testing.assert_close(reference["warped"], model.at_input(images()))


def test_export_leaves_the_module_as_it_was(tmp_path):
    model = network().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    stnkit.export(model, images(2), tmp_path / "network.onnx", half=True)
    assert model.training
    assert model.at_input.training
    after = model.state_dict()
    assert all(torch.equal(after[name], value) and after[name].dtype == value.dtype for name, value in before.items())


def test_half_narrows_weights_and_images_but_not_theta(tmp_path):
    model = network()
    said = stnkit.export(model, images(), tmp_path / "half.onnx", half=True, warped=True, theta=True)
    fresh = images(4, seed=4)
    found = outputs_of(tmp_path / "half.onnx", fresh.half())
    assert {name: value.dtype for name, value in found.items()} == {
        "logits": torch.float16,
        "warped": torch.float16,
        "theta": torch.float32,
    }
    with torch.no_grad():
        torch.testing.assert_close(found["theta"], model.at_input.localize(fresh), atol=2e-3, rtol=0)
        torch.testing.assert_close(found["logits"].float(), model(fresh), atol=1e-2, rtol=0)
    weights = {each.data_type for each in onnx.load(tmp_path / "half.onnx").graph.initializer if len(each.dims) > 1}
    assert onnx.TensorProto.FLOAT16 in weights
    assert 0 < said.rounding["logits"] < 1e-2
    assert metadata_of(tmp_path / "half.onnx")["stnkit.input"]["dtype"] == "float16"


def test_opset_16_holds_a_transformer(tmp_path):
    model = transformer("projective")
    said = stnkit.export(model, images(), tmp_path / "transformer.onnx", opset=16)
    assert said.opset == onnx.load(tmp_path / "transformer.onnx").opset_import[0].version == 16
    found = outputs_of(tmp_path / "transformer.onnx", images(2, seed=5))
    assert list(found) == ["warped"]
    torch.testing.assert_close(found["warped"], model(images(2, seed=5)).detach(), atol=1e-4, rtol=0)


def test_volumes_take_opset_20(tmp_path):
    shape = (1, 6, 7, 8)
    model = transformer(shape=shape, ndim=3)
    assert stnkit.export(model, images(2, shape), tmp_path / "volume.onnx").opset == 20
    found = outputs_of(tmp_path / "volume.onnx", images(3, shape, seed=6))
    torch.testing.assert_close(found["warped"], model(images(3, shape, seed=6)).detach(), atol=1e-4, rtol=0)


def test_several_transformers_name_their_outputs(tmp_path):
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.Conv2d(2, 3, 3)).eval()
    components = {"transform": "rotation", "localizer": "fully_connected", "sampler": "bilinear"}
    stnkit.insert_transformers(model, {"0": components, "1": components}, images(1))
    said = stnkit.export(model, images(), tmp_path / "network.onnx", output="features", theta=True, warped=True)
    assert list(said.outputs) == ["features", "warped_0", "warped_1", "theta_0", "theta_1"]


def test_parallel_transformers_give_one_warped_output(tmp_path):
    model = stnkit.ParallelTransformers([transformer(), transformer("scale")])
    said = stnkit.export(model, images(), tmp_path / "transformer.onnx", theta=True)
    assert said.outputs["warped"] == (2, *SHAPE[1:])
    assert list(said.outputs) == ["warped", "theta_input_1", "theta_input_2"]


def test_dimensions_that_follow_from_the_batch_name_it(tmp_path):
    model = stnkit.build("localizer", "correlation", in_shape=(2, 20, 24))
    stnkit.export(model, images(2, (2, 20, 24)), tmp_path / "pairs.onnx", output="features")
    graph = onnx.load(tmp_path / "pairs.onnx").graph
    dimensions = [d.dim_param for value in graph.value_info for d in value.type.tensor_type.shape.dim if d.dim_param]
    assert "2*batch" in dimensions
    assert all("batch" in dimension for dimension in dimensions)
