"""Transformers of the localizers for any size, beyond eager mode: ONNX, compiled maps, autocast and vmap."""

import warnings

import pytest
import torch

import stnkit

NAMES = ["backbone", "dense", "keypoints", "polar", "pooled"]

pytestmark = pytest.mark.no_jaxtyping


def moved(name, size=(28, 24)):
    """A transformer whose head is no longer the identity."""
    torch.manual_seed(0)
    localizer = stnkit.build("localizer", name, in_shape=(2, *size))
    model = stnkit.SpatialTransformer(
        localizer, stnkit.build("transform", "tps"), stnkit.build("sampler", "bilinear")
    ).eval()
    with torch.no_grad():
        model.head.weight.normal_(std=0.1)
    return model


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_exported_program_in_onnx_gives_the_same_theta(name, tmp_path):
    import onnxruntime

    class Theta(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = moved(name)

        def forward(self, image):
            return self.model.localize(image)

    theta, path = Theta(), tmp_path / "theta.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        torch.onnx.export(theta, (torch.rand(3, 2, 28, 24),), path, dynamo=True, verbose=False)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    image = torch.rand(3, 2, 28, 24)
    (found,) = session.run(None, {session.get_inputs()[0].name: image.numpy()})
    torch.testing.assert_close(torch.from_numpy(found), theta(image).detach(), atol=1e-4, rtol=1e-4)


@pytest.mark.slow
def test_one_compiled_head_reads_maps_of_several_sizes():
    torch.manual_seed(0)
    head = stnkit.localizers.LatticeHead(6, stnkit.build("transform", "bspline"))
    with torch.no_grad():
        head.weight.normal_()
    torch.compiler.reset()
    compiled = torch.compile(head, fullgraph=True, dynamic=True, backend="aot_eager")
    for size in ((7, 6), (40, 33), (16, 64)):
        features = torch.rand(2, 6, *size)
        torch.testing.assert_close(compiled(features), head(features), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_theta_under_autocast_is_near_and_in_float32(name):
    model, image = moved(name), torch.rand(3, 2, 28, 24)
    with torch.autocast("cpu", torch.bfloat16):
        theta = model.localize(image)
    assert theta.dtype == torch.float32
    torch.testing.assert_close(theta, model.localize(image), atol=0.1, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_vmap_over_images_gives_the_theta_of_each(name):
    model, image = moved(name), torch.rand(3, 2, 28, 24)
    found = torch.func.vmap(lambda one: model.localize(one[None])[0])(image)
    torch.testing.assert_close(found, model.localize(image), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_bfloat16_images_keep_theta_in_float32(name):
    model = moved(name).bfloat16()
    image = torch.rand(3, 2, 28, 24).bfloat16()
    assert model.localize(image).dtype == torch.float32
    assert model(image).dtype == torch.bfloat16


@pytest.mark.slow
def test_pairs_are_correlated_in_exported_batches_of_any_size():
    localizer = stnkit.build("localizer", "correlation", in_shape=(2, 28, 24)).eval()
    batch = torch.export.Dim("batch", min=1)
    with torch.no_grad():
        program = torch.export.export(localizer, (torch.rand(2, 2, 28, 24),), dynamic_shapes=({0: batch},))
        for n in (1, 3):
            pairs = torch.rand(n, 2, 28, 24)
            torch.testing.assert_close(program.module()(pairs), localizer(pairs), atol=1e-5, rtol=1e-5)
