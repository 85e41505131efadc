"""A host behind a transformer is called with the image by position or by name."""

import pytest
import torch
from torch import fx, nn

import stnkit
from tests.helpers import small_images, with_moved_input

pytestmark = pytest.mark.no_jaxtyping


class Scaled(nn.Module):
    """A block that is called with any of its arguments by name."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, x, scale=1.0):
        return scale * self.conv(x)


class Block(nn.Module):
    """Calls its child by keywords."""

    def __init__(self, child):
        super().__init__()
        self.l2 = child

    def forward(self, image, k=1):
        return k * self.l2(scale=0.3, x=image)


@pytest.mark.parametrize("point", ["input", "l2", "l2.conv"])
def test_an_image_may_be_given_by_its_name(point):
    network, seen = with_moved_input(Block(Scaled()), point).eval(), small_images()
    expected = network(seen, 2)
    torch.testing.assert_close(network(image=seen, k=2), expected)
    torch.testing.assert_close(network(k=2, image=seen), expected)
    network.set_submodule(f"{point}.spatial_transformer".removeprefix("input."), nn.Identity())
    assert not torch.allclose(network(image=seen, k=2), expected, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("point", ["input", "l2"])
def test_programs_take_an_image_by_its_name(point):
    network, seen = with_moved_input(Block(Scaled()), point).eval(), small_images()
    expected = network(seen)
    compiled = torch.compile(network, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(image=seen), expected)
    exported = torch.export.export(network, (), kwargs={"image": seen})
    torch.testing.assert_close(exported.module()(image=seen), expected)
    torch.testing.assert_close(fx.symbolic_trace(network)(image=seen), expected)


def test_a_forward_of_the_object_takes_the_name_it_has():
    network = Block(Scaled())
    network.forward = lambda picture: network.l2(picture)
    seen = small_images()
    with_moved_input(network, "input")
    torch.testing.assert_close(network(picture=seen), network(seen))


def test_an_image_without_a_name_is_one_sentence():
    class Unnamed(nn.Module):
        def forward(self, *images, **named):
            return [*images, *named.values()][0]

    network = with_moved_input(Unnamed(), "input")
    with pytest.raises(stnkit.errors.InputError, match=r"expected an image by position, got keywords \['image'\]$"):
        network(image=small_images())


def test_a_missing_image_is_what_python_says_of_the_host():
    network = with_moved_input(Scaled(), "input")
    with pytest.raises(TypeError, match=r"Scaled\.forward\(\) missing 1 required positional argument: 'x'"):
        network(scale=2.0)


class KeywordsAlone(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)

    def forward(self, *, image, scale):
        return self.conv(image) * scale


class Dictionary(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)

    def forward(self, batch):
        return self.conv(batch["image"]) * batch["scale"]


@pytest.mark.parametrize(
    ("network", "point", "call"),
    [
        (KeywordsAlone(), "input", lambda network, given: network(**given)),
        (KeywordsAlone(), "conv", lambda network, given: network(**given)),
        (Dictionary(), "conv", lambda network, given: network(given)),
    ],
)
def test_an_example_may_be_a_mapping(network, point, call):
    given = {"image": torch.rand(2, 1, 8, 8), "scale": 2.0}
    expected = call(network, given)
    parts = {"transform": "affine", "localizer": "fully_connected", "sampler": "bilinear"}
    stnkit.insert_transformers(network, {point: parts}, given)
    torch.testing.assert_close(call(network, given), expected, atol=1e-5, rtol=0)
    host = network if point == "input" else network.conv
    with torch.no_grad():
        host.spatial_transformer.head.offset.add_(0.1)
    assert not torch.allclose(call(network, given), expected)
